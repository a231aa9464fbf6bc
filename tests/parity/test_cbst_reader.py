"""Data of CBST: label tables, source subsets, test images, and training crops with small classes."""

import numpy as np
import pytest
import torch
from golden import SHIPPED_DIR, golden_files, load, scalar, section
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from mmseg.models import SegDataPreProcessor
from mmseg.registry import TRANSFORMS

import mmuda.datasets.transforms.mining_crop as mining_crop
from mmuda.datasets import GTA5Dataset, get_label_table, source_subset
from mmuda.datasets.classes import CITYSCAPES_CLASSES, SYNTHIA16
from mmuda.datasets.label_tables import lookup_array
from mmuda.models import DomainPairPreprocessor

NORMALISED = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)


def build(*steps: dict) -> Compose:
    with DefaultScope.overwrite_default_scope('mmseg'):
        return Compose([TRANSFORMS.build(step) for step in steps])


def groups(data: dict, first: str) -> list:
    """Return the sections `<first><digits>__*` of a file."""
    names = {key.split('__')[0] for key in data if '__' in key}
    return sorted(name for name in names if name.startswith(first) and name[len(first) :].isdigit())


def of(data: dict, name: str) -> dict:
    return section({key.replace('__', '/', 1): value for key, value in data.items()}, name)


# Label tables.

TABLES = {'gta': ('gta5', CITYSCAPES_CLASSES), 'synthia': ('synthia', SYNTHIA16)}


def label_map(classes) -> tuple:
    """Return mmseg's map from the 19 to the chosen classes, as data sets of mmuda get it."""
    return tuple((GTA5Dataset.get_label_map(classes) or {}).items()) or None


@pytest.mark.parametrize('source', TABLES)
@pytest.mark.parametrize('path', golden_files('cbst', 'label_maps'))
def test_label_tables(path, source):
    data = of(load(path), source)
    name, classes = TABLES[source]
    for table_name, side in ((name, 'src'), ('cityscapes', 'tgt')):
        table = lookup_array(get_label_table(table_name), unknown=255, label_map=label_map(classes))
        np.testing.assert_array_equal(table[:256], data[f'label_2_id_{side}'])
        np.testing.assert_array_equal(table[data['in']], data[f'{side}_trainIds'])
    inverse = np.zeros(256, np.uint8)
    inverse[table[:256]] = np.arange(256)
    np.testing.assert_array_equal(inverse[: len(classes)], data['id_2_label_tgt'])
    np.testing.assert_array_equal(inverse[: len(classes)], data['valid_labels_tgt'])
    np.testing.assert_array_equal(inverse[data['trainIds_in']], data['labelIds_out'])


# Source subsets.


@pytest.mark.parametrize('path', golden_files('cbst', 'schedule'))
def test_source_subsets(path):
    data = load(path)
    names = groups(data, 'sample')
    assert names
    for name in names:
        seed, n, m = of(data, name)['args'].tolist()
        np.testing.assert_array_equal(source_subset(seed, n, m), of(data, name)['idx'])


# Test images.


@pytest.mark.parametrize('preprocessor', [SegDataPreProcessor, DomainPairPreprocessor])
@pytest.mark.parametrize('path', golden_files('cbst', 'test_transform'))
def test_test_images(path, preprocessor):
    data = load(path)
    names = groups(data, 'p')
    assert names
    size_divisor = {} if preprocessor is DomainPairPreprocessor else dict(size_divisor=1)
    process = preprocessor(**NORMALISED, **size_divisor, test_cfg=dict(size_divisor=8)).eval()
    for name in names:
        case = of(data, name)
        image = np.ascontiguousarray(case['image'][..., ::-1])
        results = build(dict(type='ResizeLongSide', length=scalar(case, 'test_scale')), dict(type='PackSegInputs'))(
            dict(img=image, ori_shape=image.shape[:2], img_path=name)
        )
        height, width = case['scaled_hw'].tolist()
        assert results['data_samples'].img_shape == (height, width)
        batch = process(dict(inputs=[results['inputs']], data_samples=[results['data_samples']]))['inputs']
        assert batch.shape == (1, 3, *case['net_input_hw'])
        np.testing.assert_allclose(
            batch[0, :, :height, :width].permute(1, 2, 0).numpy(), case['normalized_hwc'], rtol=0, atol=1e-6
        )
        assert not batch[..., height:, :].any() and not batch[..., width:].any(), (
            'padding must be zero after normalisation'
        )


# Training crops.


class Replay:
    """The recorded random numbers, which must be drawn in the recorded order."""

    def __init__(self, case: dict) -> None:
        self.left = [('integer', scalar(case, 'target_size')), ('fraction', scalar(case, 'mine_draw'))]
        if case['mined']:
            self.left += [('fraction', scalar(case, 'class_draw')), ('integer', scalar(case, 'location_draw'))]
        else:
            self.left += [('integer', int(start)) for start in case['crop_top_left_canvas']]
        self.left += [('fraction', 0.25 if case['flip'] else 0.75)]
        self.limits = []

    def integer(self, low: int, high: int) -> int:
        kind, value = self.left.pop(0)
        assert kind == 'integer' and low <= value < high
        self.limits.append((low, high))
        return value

    def fraction(self, high: float) -> float:
        kind, value = self.left.pop(0)
        assert kind == 'fraction' and 0 <= value < high
        return value


def crop_cases() -> list:
    return [
        pytest.param(path.values[0], name, id=f'{path.id}-{name}')
        for path in golden_files('cbst', 'mining_crop')
        for name in (groups(load(path.values[0]), 'c') if path.values[0].is_file() else ['missing'])
    ]


def prepared(path, name: str) -> tuple:
    """Return a case, its transform, and the input."""
    data = load(path)
    case = of(data, name)
    table = lookup_array(get_label_table('cityscapes' if case['is_target'] else 'gta5'), unknown=255)
    image = data[f'image{scalar(case, "image_index")}']
    label = table[data[f'labelIds{scalar(case, "image_index")}']]
    stride = scalar(data, 'stride')
    crop = mining_crop.SmallClassCrop(
        size=scalar(data, 'net_input'),
        stride=stride,
        label_stride=stride,
        scale_range=data['scale_range'].tolist(),
        origin_size=scalar(case, 'origin_size'),
        max_shape=case['max_shape'].tolist(),
        probability=scalar(case, 'mine_port'),
        priority=case['mine_id_priority'].tolist(),
        mined=case['mine_id'].tolist(),
        draws=Replay(case),
    )
    return (
        case,
        crop,
        dict(img=np.ascontiguousarray(image[..., ::-1]), gt_seg_map=label, ori_shape=image.shape[:2], img_path=name),
    )


@pytest.mark.parametrize('path, name', crop_cases())
def test_crop_plan(path, name):
    case, crop, results = prepared(path, name)
    draws = Replay(case)
    plan = mining_crop.plan_crop(results['gt_seg_map'], results['ori_shape'], crop.rule, *crop.small_classes(), draws)
    assert not draws.left
    assert list(plan.target_sizes) == case['target_size_range'].tolist()
    assert plan.rate == case['rate']
    assert (plan.side, plan.canvas, plan.flip) == tuple(case[key] for key in ('crop_size', 'canvas_size', 'flip'))
    assert list(plan.border) == case['border_d0_d1'].tolist()
    assert plan.mining == case['mine_flag']
    assert list(plan.candidates) == case['candidates'].tolist()
    assert list(plan.corner) == case['crop_top_left_canvas'].tolist()
    assert (plan.chosen is not None) == case['mined']
    if case['mined']:
        assert (plan.chosen, plan.num_locations) == (case['chosen_class'], case['n_locations'])
        assert draws.limits[1] == (0, case['n_locations'])
    else:
        np.testing.assert_allclose(plan.bounds, case['random_corner_upper_bounds'], rtol=0, atol=0)
        assert draws.limits[1:] == [(0, int(bound)) for bound in case['random_corner_upper_bounds']]
    np.testing.assert_array_equal(mining_crop.cut(results['gt_seg_map'], plan, 255), case['label_crop'])


@pytest.mark.parametrize('path, name', crop_cases())
def test_crop(path, name):
    case, crop, results = prepared(path, name)
    packed = build(dict(type='PackSegInputs'))(crop(results))
    label = packed['data_samples'].gt_sem_seg.data[0].numpy()
    np.testing.assert_array_equal(label, case['out_label'])
    assert packed['data_samples'].flip == case['flip']
    if 'out_data' in case:
        batch = SegDataPreProcessor(**NORMALISED, size_divisor=8)(
            dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']]), training=True
        )
        np.testing.assert_allclose(batch['inputs'][0].numpy(), case['out_data'], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(batch['data_samples'][0].gt_sem_seg.data[0].numpy(), case['out_label'])
        assert batch['inputs'].dtype == torch.float32


@pytest.mark.parametrize('path', golden_files('cbst', 'mining_crop', SHIPPED_DIR))
def test_the_crops_can_tell(path):
    """The file has cases for both branches, both domains and the border, so that the tests above compare them all."""
    data = load(path)
    cases = [of(data, name) for name in groups(data, 'c')]
    assert {bool(case['mined']) for case in cases} == {bool(case['is_target']) for case in cases} == {True, False}
    assert any((case['label_crop'] == 255).any() for case in cases) and any('out_data' in case for case in cases)


@pytest.mark.parametrize('path', golden_files('cbst', 'mining_crop', SHIPPED_DIR))
def test_another_filter_would_differ(path, monkeypatch):
    name = next(name for name in groups(load(path), 'c') if 'out_data' in of(load(path), name))
    case, crop, results = prepared(path, name)
    monkeypatch.setattr(mining_crop, 'auto_filter', lambda *_: 'bilinear')
    packed = build(dict(type='PackSegInputs'))(crop(results))
    inputs = SegDataPreProcessor(**NORMALISED, size_divisor=8)(dict(inputs=[packed['inputs']]))['inputs']
    assert np.abs(inputs[0].numpy() - case['out_data']).max() > 0.01
