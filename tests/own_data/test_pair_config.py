"""Configs of own data, as mmuda reads them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from own_folders import render, scene, write, write_folders

from mmuda.checks import check_config
from mmuda.datasets import build_dataset
from mmuda.engine.launch import load_config
from mmuda.engine.target_batch_norm import sample_of
from mmuda.own_data.method_config import method_config
from mmuda.own_data.new_pair import Request, new_pair
from mmuda.own_data.pair_config import pair_files
from mmuda.own_data.recipes import METHODS, NETWORKS, configs_folder
from mmuda.own_data.writing import check_folder, write_files

NAMES = ['ground', "it's a tree", '{{ fileDirname }}']


def write_pair(folder, data, method='dacs', network='tiny', val=True, **wishes):
    wishes = {'classes': NAMES, 'command': 'new_pair.py', 'iterations': 2, **wishes}
    val = str(data / 'checked') if val else None
    pair = new_pair(Request(str(data / 'renders'), str(data / 'photographs'), val, **wishes), lambda line: None)
    files = pair_files(pair)
    files[f'{method}.py'] = method_config(pair, METHODS[method], NETWORKS[network], folder)
    return write_files(folder, files, overwrite=False)


def odd(tmp_path):
    """Write folders below a name with quotes and braces, which would be code if it were pasted into a config."""
    folder = tmp_path / """a 'b' "c" {{ fileDirname }}"""
    folder.mkdir()
    return write_folders(folder)


def test_paths_and_names_of_any_kind_reach_the_data_sets(tmp_path):
    data = odd(tmp_path)
    write_pair(tmp_path / "it's mine", data)
    cfg = load_config(tmp_path / "it's mine" / 'dacs.py')
    assert check_config(cfg) == []
    source = build_dataset(dict(cfg.train_dataloader.dataset.source))
    assert source.metainfo['classes'] == tuple(NAMES) and len(source) == 3
    target = build_dataset(dict(cfg.train_dataloader.dataset.target))
    assert 'seg_map_path' not in target.get_data_info(0) and len(target) == 3
    val = build_dataset(dict(cfg.val_dataloader.dataset))
    np.testing.assert_array_equal(val[0]['data_samples'].gt_sem_seg.data[0].numpy(), scene(101))
    assert cfg.val_evaluator.type == 'DomainIoUMetric'


def test_images_of_many_bands_are_trained_on_and_tested(tmp_path):
    tifffile = pytest.importorskip('tifffile')
    data = write_folders(tmp_path)
    for folder in ('renders/rgb', 'photographs'):
        for path in sorted((data / folder).rglob('*.*')):
            colours = cv2.imread(str(path))[..., ::-1].astype(np.uint16) * 16
            values = np.concatenate([colours, colours[..., :2]], axis=2)
            tifffile.imwrite(path.with_suffix('.tif'), values, photometric='minisblack', planarconfig='contig')
            path.unlink()
    write_pair(tmp_path / 'out', data, val=False)
    cfg = load_config(tmp_path / 'out' / 'dacs.py')
    assert check_config(cfg) == []
    wanted = dict(type='LoadDomainImage', bands=(0, 1, 2), value_range=(0, 4095), to_uint8=True)
    sides = cfg.train_dataloader.dataset
    assert [side.pipeline[0] for side in (sides.source, sides.target, cfg.val_dataloader.dataset)] == [wanted] * 3
    sample = build_dataset(dict(cfg.val_dataloader.dataset))[0]
    assert sample['inputs'].dtype == torch.uint8 and sample['inputs'].shape[0] == 3
    assert build_dataset(dict(sides))[0, 0, 0]['source']['inputs'].shape[1:] == tuple(cfg.crop_size)


@pytest.mark.parametrize('method', METHODS)
def test_every_method_has_a_config_without_mistakes(tmp_path, method):
    write_pair(tmp_path / 'out', write_folders(tmp_path), method, val=method != 'minent')
    cfg = load_config(tmp_path / 'out' / f'{method}.py')
    assert check_config(cfg) == []
    assert cfg.train_cfg.max_iters == 2 and cfg.param_scheduler[0].end == 3 and cfg.param_scheduler[0].warmup == 0
    assert cfg.train_cfg.val_interval == cfg.default_hooks.checkpoint.interval == 1
    assert cfg.model.segmentor.decode_head.num_classes == 3


@pytest.mark.parametrize('network', NETWORKS)
def test_every_network_has_a_config(tmp_path, network):
    write_pair(tmp_path / 'out', write_folders(tmp_path), 'advent', network)
    cfg = load_config(tmp_path / 'out' / 'advent.py')
    assert cfg.model.segmentor.backbone.type and cfg.model.discriminator.in_channels == 3
    assert (configs_folder() / NETWORKS[network].file).is_file()


def test_label_tables_and_channels_are_those_of_each_data_set(tmp_path):
    data = write_folders(tmp_path, values=(4, 0, 9))
    write_pair(tmp_path / 'out', data, classes=['tree', 'ground', 'house'])
    source = build_dataset(dict(load_config(tmp_path / 'out' / 'dacs.py').train_dataloader.dataset.source, pipeline=[]))
    assert source.label_table.pairs == ((0, 0), (4, 1), (9, 2))


def test_labels_in_colours_are_read(tmp_path):
    data = write_folders(tmp_path)
    for number in (1, 2, 3):
        write(data / 'renders' / 'labels' / 'town' / f'{number:04d}.png', render(scene(number)))
    (tmp_path / 'colours.csv').write_text('name,r,g,b\nhouse,200,40,30\ntree,30,160,40\nground,90,90,90\n')
    write_pair(tmp_path / 'out', data, classes=[str(tmp_path / 'colours.csv')], val=False)
    cfg = load_config(tmp_path / 'out' / 'dacs.py')
    assert check_config(cfg) == []
    steps = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations'), dict(type='PackSegInputs')]
    source = build_dataset(dict(cfg.train_dataloader.dataset.source, pipeline=steps))
    np.testing.assert_array_equal(source[0]['data_samples'].gt_sem_seg.data[0].numpy(), np.array([2, 1, 0])[scene(1)])
    assert source.metainfo['palette'][0] == (200, 40, 30)


def test_without_labels_of_the_target_scores_need_none(tmp_path):
    data = write_folders(tmp_path, count=2)
    write_pair(tmp_path / 'out', data, val=False)
    cfg = load_config(tmp_path / 'out' / 'dacs.py')
    assert cfg.val_evaluator.type == 'LabelFreeMetric' and not (tmp_path / 'out' / 'val.txt').exists()
    watched = build_dataset(dict(cfg.val_dataloader.dataset))
    assert len(watched) == 2 and 'gt_sem_seg' not in watched[0]['data_samples']
    assert check_config(cfg) == [] and sample_of(cfg) == 2


def test_folders_may_move_with_a_variable(tmp_path, monkeypatch):
    data = write_folders(tmp_path / 'before')
    write_pair(tmp_path / 'out', data, root_variable='OWN_DATA')
    cfg = load_config(tmp_path / 'out' / 'dacs.py')
    assert cfg.train_dataloader.dataset.source.data_root == str(data / 'renders')
    moved = data.rename(tmp_path / "it's after")
    (tmp_path / 'out').rename(tmp_path / 'moved')
    monkeypatch.setenv('OWN_DATA', str(moved))
    cfg = load_config(tmp_path / 'moved' / 'dacs.py')
    assert check_config(cfg) == [] and cfg.val_dataloader.dataset.data_root == str(moved / 'checked')
    assert len(build_dataset(dict(cfg.train_dataloader.dataset.source))) == 3


def test_large_images_are_resized_in_training_and_tests(tmp_path):
    data = write_folders(tmp_path)
    wishes = Request(str(data / 'renders'), str(data / 'photographs'), str(data / 'checked'), classes=NAMES)
    pair = new_pair(wishes, lambda line: None)
    pair.plan = pair.plan.__class__(**{**vars(pair.plan), 'source_length': 32, 'target_length': 16, 'crop': (8, 8)})
    write_files(
        tmp_path / 'out',
        {**pair_files(pair), 'a.py': method_config(pair, METHODS['dacs'], NETWORKS['tiny'], tmp_path)},
        False,
    )
    cfg = load_config(tmp_path / 'out' / 'pair.py')
    val = build_dataset(dict(cfg.val_dataloader.dataset))[0]
    assert val['inputs'].shape == (3, 12, 16) and val['data_samples'].gt_sem_seg.shape == (48, 64)
    source = build_dataset(dict(cfg.train_dataloader.dataset.source))[0]
    assert source['inputs'].shape == (3, 8, 8) and source['data_samples'].gt_sem_seg.shape == (8, 8)


def test_nothing_is_replaced_unasked(tmp_path):
    data = write_folders(tmp_path)
    folder = tmp_path / 'out'
    assert len(write_pair(folder, data)) == 5
    assert write_pair(folder, data) == []
    assert [path.name for path in write_pair(folder, data, 'advent')] == ['advent.py']
    text = (folder / 'pair.py').read_text()
    (folder / 'source.txt').write_text('mine\n')
    shown = r'(?s)has source.txt with another text: .*--overwrite.*\n  old: mine\n  new: rgb/town/0001.png'
    with pytest.raises(FileExistsError, match=shown):
        write_pair(folder, data, 'minent')
    assert (folder / 'source.txt').read_text() == 'mine\n' and not (folder / 'minent.py').exists()
    assert write_files(folder, {'pair.py': 'x', 'minent.py': 'y'}, False, keep=True) == [folder / 'minent.py']
    assert (folder / 'pair.py').read_text() == text
    assert write_files(folder, {'pair.py': text, 'source.txt': 'new\n'}, overwrite=True) == [folder / 'source.txt']


@pytest.mark.parametrize('val', [True, False])
def test_a_command_with_other_options_keeps_the_pair(tmp_path, val, monkeypatch):
    data, folder = write_folders(tmp_path / 'data'), tmp_path / 'out'
    command = f'python new_pair.py --source {data}/renders ' + '--ignore 9 ' * 30  # more than a line
    write_pair(folder, data, val=val, command=command)
    text = (folder / 'pair.py').read_text()
    assert '# Written by: python new_pair.py' in text and text.count('--ignore') == 30
    written = write_pair(folder, data, 'source_only', val=val, command=command + '--method source_only')
    monkeypatch.chdir(tmp_path)
    written += write_pair(folder, Path('data'), 'advent', val=val, command='new_pair.py --source data/renders')
    assert written == [folder / 'source_only.py', folder / 'advent.py'] and (folder / 'pair.py').read_text() == text
    with pytest.raises(
        FileExistsError, match=r'(?s)has pair.py .*  old: crop_size = .48, 64.*  new: crop_size = .32, 32'
    ):
        write_pair(folder, data, 'minent', val=val, crop=(32, 32))


@pytest.mark.parametrize('name', ["a'''b", "ends'", 'back\\slash', '{{x}}', 'two\nlines'])
def test_a_folder_of_configs_has_a_plain_name(tmp_path, name):
    with pytest.raises(ValueError, match='has characters that a config cannot hold'):
        check_folder(tmp_path / name)
    check_folder(tmp_path / 'a "b" it\'s')
