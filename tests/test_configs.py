"""Every shipped config builds, and trains, validates and saves at reduced size on real files in its data's layout."""
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from toolbox import CONFIGS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from mmuda.engine import PerModuleOptimWrapperConstructor, TrainStage, network_config
from mmuda.engine.launch import build_runner, load_config
from mmuda.engine.staged_runner import build_stages
from mmuda.engine.stages.run import StagedRun

SHIPPED = sorted(path for path in CONFIGS.glob('*/*.py') if path.parent.name != '_base_')
NAMES = [f'{path.parent.name}/{path.stem}' for path in SHIPPED]
LOADED = {path: Config.fromfile(path) for path in SHIPPED}
STAGED = [path for path, cfg in LOADED.items() if cfg.runner_type == 'StagedRunner']
SINGLE = [path for path in SHIPPED if path not in STAGED]
BUILT = set()
"""Networks with their optimizers that were built at full size."""


def computes(path: Path) -> str:
    """What a config does, without the paper's figures that it shows."""
    return str({key: value for key, value in LOADED[path].items() if key != 'test_evaluator'})


def ids(paths) -> dict:
    return dict(argnames='path', argvalues=paths, ids=[f'{path.parent.name}/{path.stem}' for path in paths])


MARKS = dict(GTA5_ROOT='source', CITYSCAPES_ROOT='cityscapes', MINICITY_ROOT='', SYNTHIA_ROOT='synthia',
             SYNTH2CAMVID_ROOT='camvid', SYNSCAPES_ROOT='synscapes', CROSSCITY_ROOT='crosscity',
             GTA5_CYCLEGAN_ROOT='translated')


def rearrange(minicity: Path) -> None:
    """MiniCity's files in the layouts of other data sets."""
    def copy(file: Path, to: Path) -> None:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)

    for number, image in enumerate(sorted((minicity / 'source/images').iterdir()), 1):
        copy(image, minicity / f'translated/images/{image.name}')
        copy(image, minicity / f'synscapes/img/rgb/{number}.png')
        copy(minicity / f'source/labels/{image.name}', minicity / f'synscapes/img/class/{number}.png')

    cityscapes = minicity / 'cityscapes'
    shutil.copytree(minicity / 'target', cityscapes)
    train = sorted((cityscapes / 'leftImg8bit/train').rglob('*.png'))
    labels = sorted((cityscapes / 'gtFine/val').rglob('*_labelIds.png'))
    for image, label in zip(train, labels, strict=True):  # other images' labels: nothing here asks what is learnt
        name = image.name.replace('leftImg8bit', 'gtFine_labelIds')
        copy(label, cityscapes / 'gtFine/train' / image.parent.name / name)
    for city in ('Rio', 'Rome', 'Taipei', 'Tokyo'):
        folder = minicity / 'crosscity' / city
        for number, (image, label) in enumerate(zip(train, labels), 1):
            copy(image, folder / f'Images/Train/pano_{number:05d}.png')
            copy(image, folder / f'Images/Test/pano_9{number:04d}.png')
            copy(label, folder / f'Labels/Test/pano_9{number:04d}_eval.png')


@pytest.fixture(scope='session')
def data_roots(minicity) -> dict:
    """All data sets that configs name: MiniCity, its files in other layouts, and tiny SYNTHIA and list folders."""
    rearrange(minicity)
    rng = np.random.default_rng(0)
    synthia, camvid = minicity / 'synthia', minicity / 'camvid'
    for folder in (synthia / 'RGB', synthia / 'GT/LABELS', camvid / 'images', camvid / 'labels', camvid / 'lists'):
        folder.mkdir(parents=True)
    pairs = []
    for i in range(3):
        image = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(synthia / f'RGB/{i:07d}.png'), image)
        label = np.zeros((48, 64, 3), np.uint16)  # OpenCV's order: the class id is in the last channel
        label[:, :, 2] = rng.integers(0, 23, (48, 64))
        cv2.imwrite(str(synthia / f'GT/LABELS/{i:07d}.png'), label)
        cv2.imwrite(str(camvid / f'images/{i}.jpg'), image)
        Image.fromarray(rng.integers(0, 19, (48, 64), dtype=np.uint8)).save(camvid / f'labels/{i}.png')
        pairs.append((f'images/{i}.jpg', f'labels/{i}.png'))
    for name in ('source_all', 'target_val_labelled', 'target_test_labelled'):
        (camvid / f'lists/{name}.txt').write_text('\n'.join(map(' '.join, pairs)))
    (camvid / 'lists/target_train_unlabelled.txt').write_text('\n'.join(image for image, _ in pairs))
    return {variable: str(minicity / folder) for variable, folder in MARKS.items()}


def shrink(node, size=(64, 48)) -> None:
    """Make a config tiny in place: width, depth, images, workers; what it computes stays the same.

    Args:
        node: The config, or a part of it.
        size: (W, H) of the images.
    """
    if isinstance(node, dict):
        kind = node.get('type')
        if kind in ('DeepLabResNet', 'ResNet'):
            node.update(depth=18, base_channels=4, stem_channels=4, style='pytorch', init_cfg=None)
        elif kind == 'ResNet38':
            node.update(base_channels=2, init_cfg=None)
        elif kind == 'ResNet38Head':
            node.update(in_channels=128, channels=8)
        elif kind == 'DeepLabVGG16':
            node.update(base_channels=2, init_cfg=None)
        elif kind == 'DeepLabV2Head':
            node.in_channels = {0: 32, 2: 16, 3: 32}[node.in_index]  # 0 is an only map, of stage 4 or VGG-16
        elif kind == 'FCDiscriminatorHead':
            node.base_channels = 2
            node.in_channels = {1024: 16, 2048: 32}.get(node.in_channels, node.in_channels)  # judges features
        elif kind == 'Resize':
            node.scale = size
        elif kind == 'ResizeLongSide':
            node.length = 64
        elif kind == 'SmallClassCrop':
            node.update(size=32, origin_size=64, max_shape=node.get('max_shape') and (48, 64))
        elif kind == 'PriorStage':
            node.update(size=(24, 32), kernel=5)
        elif kind == 'SelfTrainingRounds':
            node.update(num_rounds=1, epochs_per_round=1)
            node.source_portion.update(init=0.5, max=0.6)
        for value in node.values():
            shrink(value, size)
        if 'num_workers' in node:
            node.num_workers = 0
            node.pop('persistent_workers', None)
    elif isinstance(node, (list, tuple)):
        for value in node:
            shrink(value, size)


def reduced(path: Path, work_dir: Path, roots: dict) -> Config:
    os.environ.update(roots)
    try:
        cfg = load_config(path, work_dir=str(work_dir))
    finally:
        for variable in roots:
            del os.environ[variable]
    if cfg.model.get('space') == 'feature':
        shrink(cfg._cfg_dict, size=(256, 256))  # features are an eighth of it, and halved five times
    else:
        shrink(cfg._cfg_dict)
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    return cfg


def test_there_are_configs():
    assert {'advent/gta2city', 'advent/gta2city_minent', 'advent/synthia2city', 'advent/minicity', 'advent/carla2camvid',
            'adaptsegnet/gta2city', 'adaptsegnet/gta2city_single', 'adaptsegnet/gta2city_single_lsgan',
            'adaptsegnet/gta2city_vgg16', 'adaptsegnet/gta2city_feature', 'adaptsegnet/synscapes2city_lsgan',
            'adaptsegnet/city2crosscity_rio', 'adaptsegnet/city2crosscity_rome', 'adaptsegnet/city2crosscity_taipei',
            'adaptsegnet/city2crosscity_tokyo', 'adaptsegnet/oracle', 'advent/gta2city_single', 'advent/gta2city_cyclegan',
            'adaptsegnet/synthia2city', 'adaptsegnet/minicity', 'source_only/minicity', 'adabn/minicity',
            'source_only/carla2camvid', 'adabn/carla2camvid', 'cbst/gta2city', 'cbst/gta2city_st', 'cbst/gta2city_sp',
            'cbst/gta2city_source', 'cbst/synthia2city_source', 'cbst/gta2city_r101', 'cbst/synthia2city_r101',
            'fada/gta2city_source', 'fada/gta2city_distilled', 'fada/gta2city_vgg16_source', 'sim/gta2city_source',
            'cbst/synthia2city', 'cbst/synthia2city_st', 'cbst/minicity', 'intrada/gta2city', 'intrada/synthia2city',
            'intrada/minicity'} <= set(NAMES)


def trainings(cfg: Config) -> list:
    """The config of every training of a config: one, or one for each training stage."""
    if cfg.runner_type != 'StagedRunner':
        return [cfg]
    stages = build_stages(cfg)
    run = StagedRun(cfg, stages, cfg.work_dir)
    return [stage.config(run) for stage in stages if isinstance(stage, TrainStage)]


@pytest.mark.parametrize('path', SHIPPED, ids=NAMES)
def test_it_builds_at_full_size(path):
    init_default_scope('mmseg')
    for cfg in trainings(load_config(path)):
        if cfg.param_scheduler and 'end' in cfg.param_scheduler[0]:  # without one it ends with a round of self-training
            assert cfg.param_scheduler[0].end > cfg.train_cfg.max_iters, 'the learning rate may not reach zero before the end'
        key = str(cfg.model) + str(cfg.optim_wrapper)
        if key not in BUILT:  # rounds, and configs of one network, differ in other things
            check_network(cfg)
            BUILT.add(key)


def check_network(cfg: Config) -> None:
    model = MODELS.build(cfg.model)
    wrappers = PerModuleOptimWrapperConstructor({k: v for k, v in cfg.optim_wrapper.items() if k != 'constructor'})(model)
    assert 'segmentor' in wrappers
    for name, head in (('discriminator', 'decode_head'), ('aux_discriminator', 'auxiliary_head')):
        critic = getattr(model, name, None)
        if critic is not None:
            features = getattr(model, 'space', 'output') == 'feature'
            seen = getattr(model.segmentor, head).in_channels if features else model.num_classes
            assert critic.convs[0].in_channels == seen


@pytest.mark.parametrize(**ids(list({computes(path): path for path in STAGED}.values())))
def test_all_its_stages_run_at_reduced_size(path, tmp_path, data_roots):
    cfg = reduced(path, tmp_path, data_roots)
    runner = build_runner(cfg)
    runner.train()
    entries = runner.run.ledger.entries
    assert [entry['status'] for entry in entries.values()] == ['done'] * len(runner.stages) and len(entries) >= 3
    last = [stage for stage in runner.stages if isinstance(stage, TrainStage)][-1]
    plain = network_config(cfg)
    plain.load_from = str(runner.run.checkpoint(last.name))
    found = build_runner(plain).test()
    assert found['mIoU'] == pytest.approx(entries[last.name]['result']['metrics']['mIoU'])


@pytest.mark.parametrize(**ids(SINGLE))
def test_it_trains_and_tests_at_reduced_size(path, tmp_path, data_roots):
    cfg = reduced(path, tmp_path, data_roots)
    runner = build_runner(cfg)
    start = {name: value.clone() for name, value in runner.model.segmentor.named_parameters()}
    runner.train()
    moved = [name for name, value in runner.model.segmentor.named_parameters() if not torch.equal(start[name], value)]
    assert moved and (tmp_path / 'iter_2.pth').is_file()
    cfg.load_from = str(tmp_path / 'iter_2.pth')
    found = build_runner(cfg).test()
    assert 0 <= found['mIoU'] <= 100


@pytest.mark.parametrize('path', SHIPPED, ids=NAMES)
def test_the_target_is_trained_without_labels(path, data_roots):
    """No step of the target pipeline loads annotations, and nothing that comes out holds any."""
    from mmuda.datasets import DomainPairDataset
    cfg = reduced(path, Path('unused'), data_roots)
    init_default_scope('mmseg')
    for training in trainings(cfg):
        side = training.train_dataloader.dataset.target
        labelled = any('Annotations' in step['type'] for step in side.pipeline)
        assert not labelled, 'pseudo labels have a loader of their own'
    target = cfg.train_dataloader.dataset.target
    assert not any('Annotations' in step['type'] for step in target.pipeline)
    pairs = DomainPairDataset(cfg.train_dataloader.dataset.source, target)
    sample = pairs[(0, 0, 0)]
    assert 'gt_sem_seg' in sample['source']['data_samples'] and 'gt_sem_seg' not in sample['target']['data_samples']
    assert 'seg_map_path' not in pairs.target.get_data_info(0)


CITIES = ('Rio', 'Rome', 'Taipei', 'Tokyo')


@pytest.mark.parametrize('city', CITIES)
def test_a_city_is_adapted_to_and_tested_on_itself(city, data_roots):
    cfg = reduced(CONFIGS / f'adaptsegnet/city2crosscity_{city.lower()}.py', Path('unused'), data_roots)
    loaders = (cfg.train_dataloader.dataset.target, cfg.val_dataloader.dataset, cfg.test_dataloader.dataset)
    assert [(side.city, side.split) for side in loaders] == [(city, 'train'), (city, 'test'), (city, 'test')]
    assert cfg.val_evaluator.protocols == cfg.test_evaluator.protocols == ('mIoU13', )
    assert (cfg.test_evaluator.paper is not None) == (city == 'Rio'), 'only one figure is known'


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
    message = f'the folder of images, {missing["GTA5_CYCLEGAN_ROOT"]}/images, does not exist.*Point data_prefix to your copy'
    with pytest.raises(FileNotFoundError, match=message):
        DATASETS.build(cfg.train_dataloader.dataset.source)


def test_every_method_folder_has_a_readme():
    missing = [folder.name for folder in CONFIGS.iterdir() if folder.name != '_base_' and not (folder / 'README.md').is_file()]
    assert not missing


def test_no_placeholder_is_left_in_a_readme():
    root = CONFIGS.parent
    for path in (root / 'README.md', *root.glob('configs/*/README.md'), *root.glob('projects/**/README.md')):
        text = path.read_text()
        assert '<!--' not in text and '@minicity' not in text and '@camvid' not in text, path
