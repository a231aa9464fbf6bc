"""Every shipped config builds, and its training does not read labels of the target."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from shipped import CITIES, LOADED, NAMES, SHIPPED, reduced, shrink, trainings
from toolbox import CONFIGS

from mmuda.engine import PerModuleOptimWrapperConstructor
from mmuda.engine.launch import load_config
from mmuda.models.adaptors import BaseAdaptor
from mmuda.readme import BEGIN, END


def test_every_folder_holds_configs():
    folders = {folder.name for folder in CONFIGS.iterdir() if folder.is_dir() and folder.name != '_base_'}
    assert folders == {path.parent.name for path in SHIPPED} != set()


def test_roots_are_read_and_not_pasted():
    """Configs do not use mmengine's ``{{$NAME:default}}``, which pastes the value of a variable into Python code."""
    files = [path for folder in (CONFIGS, CONFIGS.parent / 'projects') for path in folder.rglob('*.py')]
    assert len(files) > len(SHIPPED)
    assert [path for path in files if '{{$' in path.read_text(encoding='utf-8')] == []


def test_every_adaptor_is_trained_by_a_config():
    adaptors = {
        name
        for name, registered in MODELS.module_dict.items()
        if registered.__module__.startswith('mmuda.') and issubclass(registered, BaseAdaptor)
    }
    types = {found for config in LOADED.values() for found in re.findall(r"'type': '(\w+)'", str(config.to_dict()))}
    assert adaptors and adaptors <= types, sorted(adaptors - types)


@pytest.fixture(scope='module')
def built() -> set:
    """Return the networks and optimizers (as text) that tests of this file have built at full size."""
    return set()


@pytest.mark.parametrize('path', SHIPPED, ids=NAMES)
def test_it_builds_at_full_size(path, built):
    init_default_scope('mmseg')
    for cfg in trainings(load_config(path)):
        # Without an `end`, a schedule ends with a round of self-training.
        if cfg.param_scheduler and 'end' in cfg.param_scheduler[0]:
            assert cfg.param_scheduler[0].end > cfg.train_cfg.max_iters, (
                'the learning rate must not reach zero before the last iteration'
            )
        key = str(cfg.model) + str(cfg.optim_wrapper)
        if key not in built:  # rounds, and configs with the same network, differ in other settings
            check_network(cfg)
            built.add(key)


def check_network(cfg: Config) -> None:
    model = MODELS.build(cfg.model)
    wrappers = PerModuleOptimWrapperConstructor({k: v for k, v in cfg.optim_wrapper.items() if k != 'constructor'})(
        model
    )
    assert 'segmentor' in wrappers
    for name, head in (('discriminator', 'decode_head'), ('aux_discriminator', 'auxiliary_head')):
        critic = getattr(model, name, None)
        if critic is not None:
            features = cfg.model.type in ('FADA', 'FeatureAdversary')
            seen = getattr(model.segmentor, head).in_channels if features else model.num_classes
            assert critic.convs[0].in_channels == seen


@pytest.mark.parametrize('path', SHIPPED, ids=NAMES)
def test_the_target_is_trained_without_labels(path, data_roots):
    """No step of the target pipeline loads annotations, and target samples hold no labels."""
    from mmuda.datasets import DomainPairDataset

    cfg = reduced(path, Path('unused'), data_roots)
    init_default_scope('mmseg')
    for training in trainings(cfg):
        side = training.train_dataloader.dataset.target
        labelled = any('Annotations' in step['type'] for step in side.pipeline)
        assert not labelled, 'pseudo labels must be loaded by their own transform'
    target = cfg.train_dataloader.dataset.target
    assert not any('Annotations' in step['type'] for step in target.pipeline)
    pairs = DomainPairDataset(cfg.train_dataloader.dataset.source, target)
    sample = pairs[(0, 0, 0)]
    assert 'gt_sem_seg' in sample['source']['data_samples'] and 'gt_sem_seg' not in sample['target']['data_samples']
    assert 'seg_map_path' not in pairs.target.get_data_info(0)


@pytest.mark.parametrize('city', CITIES)
def test_a_city_is_adapted_to_and_tested_on_itself(city, data_roots):
    cfg = reduced(CONFIGS / f'adaptsegnet/city2crosscity_{city.lower()}.py', Path('unused'), data_roots)
    loaders = (cfg.train_dataloader.dataset.target, cfg.val_dataloader.dataset, cfg.test_dataloader.dataset)
    assert [(side.city, side.split) for side in loaders] == [(city, 'train'), (city, 'test'), (city, 'test')]
    assert cfg.val_evaluator.protocols == cfg.test_evaluator.protocols == ('mIoU13',)
    assert (cfg.test_evaluator.paper is not None) == (city == 'Rio'), 'only Rio has a published figure'


@pytest.mark.parametrize('relative', [True, False])
def test_translated_images_are_paired_with_the_original_labels(relative, data_roots, monkeypatch):
    root = Path(data_roots['GTA5_ROOT']).parent
    monkeypatch.chdir(root)
    roots = data_roots
    if relative:
        roots = {key: str(Path(value).relative_to(root)) for key, value in data_roots.items()}
    init_default_scope('mmseg')
    cfg = reduced(CONFIGS / 'advent/gta2city_cyclegan.py', Path('unused'), roots)
    info = DATASETS.build(cfg.train_dataloader.dataset.source).get_data_info(0)
    assert info['img_path'] == f'{roots["GTA5_CYCLEGAN_ROOT"]}/images/00001.png'
    assert info['seg_map_path'] == f'{roots["GTA5_ROOT"]}/labels/00001.png'

    missing = dict(roots, GTA5_CYCLEGAN_ROOT='nowhere' if relative else str(root / 'nowhere'))
    cfg = reduced(CONFIGS / 'advent/gta2city_cyclegan.py', Path('unused'), missing)
    message = (
        f'the folder of images, {missing["GTA5_CYCLEGAN_ROOT"]}/images, does not exist.*Point data_prefix to your copy'
    )
    with pytest.raises(FileNotFoundError, match=message):
        DATASETS.build(cfg.train_dataloader.dataset.source)


def test_archives_are_read_as_downloaded(data_roots, tmp_path):
    """Data sets are read from the downloaded archives if their root begins with zip://, without other changes."""
    from mmuda.datasets import DomainPairDataset

    roots = {}
    for variable, folders in (('GTA5_ROOT', ('images', 'labels')), ('CITYSCAPES_ROOT', ('leftImg8bit', 'gtFine'))):
        for folder in folders:
            place = tmp_path / variable
            shutil.make_archive(str(place / folder), 'zip', data_roots[variable], folder)
            roots[variable] = f'zip://{place}'
    init_default_scope('mmseg')
    found = []
    for given in (data_roots, roots):
        cfg = reduced(CONFIGS / 'source_only/gta2city.py', Path('unused'), given)
        pairs = DomainPairDataset(cfg.train_dataloader.dataset.source, cfg.train_dataloader.dataset.target)
        item, tested = pairs[(0, 2, 3)], DATASETS.build(cfg.val_dataloader.dataset)[1]
        labels = [sample['data_samples'].gt_sem_seg.data for sample in (item['source'], tested)]
        found.append([len(pairs), item['source']['inputs'], item['target']['inputs'], tested['inputs'], *labels])
    assert all(
        (one == other) if isinstance(one, int) else torch.equal(one, other) for one, other in zip(*found, strict=True)
    )


@pytest.mark.parametrize('name, count', [('city2acdc', 20), ('city2darkzurich', 5)])
def test_adverse_weather_is_read_by_split(name, count, data_roots, monkeypatch):
    from mmuda.datasets import DomainPairDataset

    for variable, root in data_roots.items():
        monkeypatch.setenv(variable, root)
    cfg = Config.fromfile(CONFIGS / f'_base_/datasets/{name}.py')
    shrink(cfg._cfg_dict)
    init_default_scope('mmseg')
    pairs = DomainPairDataset(cfg.train_dataloader.dataset.source, cfg.train_dataloader.dataset.target)
    tested = DATASETS.build(cfg.val_dataloader.dataset)
    assert (len(pairs.target), len(tested)) == (count, count)
    assert all('/train/' in pairs.target.get_data_info(n)['img_path'] for n in range(count))
    assert all('/val/' in tested.get_data_info(n)[key] for n in range(count) for key in ('img_path', 'seg_map_path'))
    pair, labelled = pairs[(0, 0, 0)], tested[0]['data_samples'].gt_sem_seg.data
    assert 'gt_sem_seg' in pair['source']['data_samples'] and 'gt_sem_seg' not in pair['target']['data_samples']
    assert set(labelled.unique().tolist()) <= {*range(19), 255}


def test_every_method_folder_has_a_readme():
    missing = [
        folder.name for folder in CONFIGS.iterdir() if folder.name != '_base_' and not (folder / 'README.md').is_file()
    ]
    assert not missing


def test_no_placeholder_is_left_in_a_readme():
    root = CONFIGS.parent
    for path in (root / 'README.md', *root.glob('configs/*/README.md'), *root.glob('projects/**/README.md')):
        text = path.read_text(encoding='utf-8').replace(BEGIN, '').replace(END, '')
        assert '<!--' not in text and '@minicity' not in text and '@camvid' not in text, path
