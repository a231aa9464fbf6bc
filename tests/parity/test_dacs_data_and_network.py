"""The data and the network of DACS, through the shipped pipelines and configs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from golden import golden_files, load, scalar, section
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from PIL import Image
from test_full_networks import Names, deviation, rule
from toolbox import CONFIGS

from mmuda.checkpoints.key_maps import DEEPLAB_ORACLE, rename
from mmuda.datasets import get_label_table
from mmuda.engine import PerModuleOptimWrapperConstructor
from mmuda.engine.launch import load_config

CLOSE = 1e-4
"""Tolerance of the network from the README of the golden files, relative to the largest value."""


@pytest.fixture
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv('MMUDA_CACHE_DIR', str(tmp_path / 'cache'))
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def sized(pipeline: list, size_wh) -> list:
    """Return a shipped pipeline for the small images of the files, without the crop, whose corner is stored."""
    steps = [dict(step) for step in pipeline if step['type'] != 'RandomCrop']
    for step in steps:
        if step['type'] == 'Resize':
            step['scale'] = tuple(int(side) for side in size_wh)
        if step['type'] == 'LoadDomainAnnotations':
            step['unknown'] = 255  # the files contain any byte
    return steps


def packed(pipeline: list, image: Path, label: Path, table: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the image (3, H, W) and the label (H, W) after a pipeline."""
    sample = dict(
        img_path=str(image),
        seg_map_path=str(label),
        label_table=get_label_table(table),
        label_channel=None,
        seg_fields=[],
    )
    done = Compose(pipeline)(sample)
    label = done['data_samples'].gt_sem_seg.data[0].numpy() if 'gt_sem_seg' in done['data_samples'] else None
    return done['inputs'].numpy(), label


def write(folder: Path, image: np.ndarray, label: np.ndarray) -> tuple[Path, Path]:
    Image.fromarray(image).save(folder / 'image.png')
    Image.fromarray(label).save(folder / 'label.png')
    return folder / 'image.png', folder / 'label.png'


def close_image(ours: np.ndarray, stored: np.ndarray, message: str) -> None:
    """Compare images up to one grey level, since versions of Pillow round differently."""
    assert ours.shape == stored.shape and np.abs(ours.astype(int) - stored).max() <= 1, message


@pytest.mark.usefixtures('surroundings')
@pytest.mark.parametrize('name, config, table', [('gta', 'gta2city', 'gta5'), ('synthia', 'synthia2city', 'synthia')])
@pytest.mark.parametrize('path', golden_files('dacs', 'data_pipeline'))
def test_source(path, name, config, table, tmp_path):
    data = load(path)
    pipeline = load_config(CONFIGS / f'dacs/{config}.py').train_dataloader.dataset.source.pipeline
    assert [step['type'] for step in pipeline][-2:] == ['RandomCrop', 'PackSegInputs']
    files = write(tmp_path, data['image_u8_rgb'], data[f'{name}/label_ids'])
    image, label = packed(sized(pipeline, data['resize_wh']), *files, table)
    close_image(image, data[f'{name}/full/image_u8_bgr'], 'whole image')
    np.testing.assert_array_equal(label, data[f'{name}/full/label'])
    compare_crops(data, name, image, label)


def crops_of(data: dict, name: str) -> list[str]:
    """Return the names of the stored crops of a data set."""
    found = sorted({key.split('/')[1] for key in data if key.startswith(f'{name}/crop')})
    assert found
    return found


def compare_crops(data: dict, name: str, image: np.ndarray, label: np.ndarray | None) -> None:
    height, width = data['crop_hw']
    for crop in crops_of(data, name):
        (x, y), stored = data[f'{name}/{crop}/x1_y1'], section(data, f'{name}/{crop}')
        close_image(image[:, y : y + height, x : x + width], stored['image_u8_bgr'], crop)
        if label is not None:
            np.testing.assert_array_equal(label[y : y + height, x : x + width], stored['label'], err_msg=crop)


@pytest.mark.usefixtures('surroundings')
@pytest.mark.parametrize('path', golden_files('dacs', 'data_pipeline'))
def test_target(path, tmp_path):
    data = load(path)
    pipeline = load_config(CONFIGS / 'dacs/gta2city.py').train_dataloader.dataset.target.pipeline
    height, width = data['image_u8_rgb'].shape[:2]
    files = write(tmp_path, data['image_u8_rgb'], data['cityscapes/label_ids'])
    image, label = packed(sized(pipeline, (width // 2, height // 2)), *files, 'cityscapes')
    assert label is None, 'labels of the target must not be read'
    compare_crops(data, 'cityscapes', image, label)


def known_ids(labels: np.ndarray) -> np.ndarray:
    """Return labels of the original loader of Cityscapes, whose ignored label is 250, with ours."""
    return np.where(labels == 250, 255, labels)


@pytest.mark.usefixtures('surroundings')
@pytest.mark.parametrize('path', golden_files('dacs', 'data_pipeline'))
def test_evaluation(path, tmp_path):
    data = load(path)
    pipeline = load_config(CONFIGS / 'dacs/gta2city.py').test_dataloader.dataset.pipeline
    files = write(tmp_path, data['image_u8_rgb'], data['cityscapes/label_ids'])
    image, label = packed(sized(pipeline, data['eval_hw'][::-1]), *files, 'cityscapes')
    close_image(image, data['cityscapes/eval/image_u8_bgr'], 'image')
    np.testing.assert_array_equal(label, known_ids(data['cityscapes/eval/label']))
    # The crops of the target have labels, which our training does not read.
    height, width = data['image_u8_rgb'].shape[:2]
    _, label = packed(sized(pipeline, (width // 2, height // 2)), *files, 'cityscapes')
    for name in crops_of(data, 'cityscapes'):
        (x, y), stored = data[f'cityscapes/{name}/x1_y1'], known_ids(data[f'cityscapes/{name}/label'])
        found = label[y : y + stored.shape[0], x : x + stored.shape[1]]
        np.testing.assert_array_equal(found, stored, err_msg=name)


@pytest.fixture(scope='module')
def shipped():
    """Return the config of configs/dacs/gta2city.py and its network at full size."""
    cfg = load_config(CONFIGS / 'dacs/gta2city.py')
    with DefaultScope.overwrite_default_scope('mmseg'):
        return cfg, MODELS.build(cfg.model)


def original_weights(data: dict) -> dict[str, torch.Tensor]:
    """Return the weights that the README of the file prescribes."""
    with torch.device('meta'):
        shapes = {key: tuple(value.shape) for key, value in Names('resnet101_bn').state_dict().items()}
    shapes = {key.removeprefix('backbone.'): shape for key, shape in shapes.items()}
    classes = scalar(data, 'num_classes')
    for branch in range(4):
        shapes[f'layer5.conv2d_list.{branch}.weight'] = (classes, 2048, 3, 3)
        shapes[f'layer5.conv2d_list.{branch}.bias'] = (classes,)
    assert len(shapes) == scalar(data, 'num_keys')
    return {
        key: torch.tensor(0) if key.endswith('num_batches_tracked') else head_rule(key, shape)
        for key, shape in shapes.items()
    }


def head_rule(key: str, shape: tuple) -> torch.Tensor:
    value = rule(key, shape)
    if key.startswith('layer5') and len(shape) == 4:  # the other golden file has another name for the head
        value = value * np.sqrt(0.02 / 2)
    return value


@pytest.mark.parametrize('path', golden_files('dacs', 'deeplab_forward'))
def test_network(path, shipped):
    data, network = load(path), shipped[1].segmentor
    if scalar(data, 'num_classes') != network.num_classes:
        cfg = shipped[0].model.segmentor.copy()
        cfg.decode_head = {**cfg.decode_head, 'num_classes': scalar(data, 'num_classes')}
        with DefaultScope.overwrite_default_scope('mmseg'):
            network = MODELS.build(cfg)
    renamed = rename(original_weights(data), DEEPLAB_ORACLE)
    network.load_state_dict(renamed.weights)
    images = torch.from_numpy(data['input'])
    for mode in ('eval', 'train'):
        network.train(mode == 'train')
        with torch.no_grad():
            logits = network(images, mode='outputs').logits['main']
        assert deviation(logits, data[f'{mode}/logits']) < CLOSE, mode
    state = network.backbone.state_dict()
    for name, step in (('train/after', 1), ('train/after_every16', 16)):
        compared = section(data, name)
        assert compared
        for key, stored in compared.items():
            assert deviation(state[key][::step], stored) < CLOSE, key
    assert state['bn1.num_batches_tracked'] == scalar(data, 'train/num_batches_tracked')


@pytest.mark.parametrize('path', golden_files('dacs', 'deeplab_forward'))
def test_weights_are_listed_as_often_as_in_the_original(path, shipped):
    cfg, model = shipped
    wrappers = PerModuleOptimWrapperConstructor({k: v for k, v in cfg.optim_wrapper.items() if k != 'constructor'})(
        model
    )
    groups = wrappers['segmentor'].optimizer.param_groups
    listed, distinct, head = load(path)['optimizer/listed_distinct_head'].tolist()
    lowest = min(group['lr'] for group in groups)
    backbone = [group for group in groups if group['lr'] == lowest]
    rest = [group for group in groups if group['lr'] == pytest.approx(10 * lowest)]
    assert sum(group['repeats'] * len(group['params']) for group in backbone) == listed
    assert sum(len(group['params']) for group in backbone) == distinct
    # Branches that are not summed get no gradient. The original lists them in the optimizer; ours are frozen.
    branches = model.segmentor.decode_head
    assert len(list(branches.parameters())) == head
    trained = [parameter for parameter in branches.parameters() if parameter.requires_grad]
    assert {id(parameter) for group in rest for parameter in group['params']} == set(map(id, trained))
    assert len(trained) == 2 * len(branches.summed) and all(group['repeats'] == 1 for group in rest)
