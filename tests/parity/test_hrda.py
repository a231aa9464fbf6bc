"""HRDA, compared with stored values of the original: crops, fusion, losses, sliding windows, networks, training."""

import numpy as np
import pytest
import torch
from golden import cases, golden_files, load, scalar, section, steps
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from replay import adamw, check_groups, check_length
from standins_hrda import hrda_head, hrda_segmentor, load_state, shapes_of, state_of
from toolbox import tiny_segmentor
from torch import Tensor

from mmuda.engine import PerModuleOptimWrapperConstructor
from mmuda.models import DACS
from mmuda.models.adaptors import WeightedImages
from projects.hrda import Box, HRDAOutputs, cut_windows, draw_box, fuse, join_windows, sliding_windows

CLOSE, FINAL = 1e-5, 2e-5
"""Tolerances that the README of the files suggests, relative to 1 + the largest value."""


def close(ours, stored, message: str, tolerance: float = CLOSE) -> None:
    ours = ours.detach().numpy() if isinstance(ours, Tensor) else np.asarray(ours)
    assert ours.shape == stored.shape, message
    apart = np.abs(ours - stored).max() / (1 + np.abs(stored).max())
    assert apart <= tolerance, (message, apart)


def close_gradient(ours: Tensor | None, stored: np.ndarray, message: str) -> None:
    """Compare gradients relative to their largest value."""
    ours = np.zeros_like(stored) if ours is None else ours.numpy()
    assert np.abs(ours - stored).max() <= 1e-4 * np.abs(stored).max() + 1e-12, message


def ramp_sum(x: Tensor) -> Tensor:
    return (x * torch.linspace(-1, 1, x.numel()).view_as(x)).sum()


def box_of(array: np.ndarray) -> Box | None:
    return None if (array < 0).all() else Box(*array.tolist())


def leaf(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array).requires_grad_()


@pytest.mark.parametrize('path', golden_files('hrda', 'crop_box'))
def test_crop_box(path):
    data = load(path)
    random = np.random.RandomState(scalar(data, 'numpy_seed'))
    for i, case in enumerate(data['cases_img_h_img_w_crop_h_crop_w_divisor'].tolist()):
        drawn = []

        def draw(bound: int, drawn=drawn) -> int:
            drawn.append((int(random.randint(bound)), bound))
            return drawn[-1][0]

        box = draw_box(case[:2], case[2:4], case[4], draw)
        assert box == tuple(data['boxes_y1_y2_x1_x2'][i]), i
        values, bounds = zip(*drawn, strict=True) if drawn else ((-1, -1), (-1, -1))
        assert values == tuple(data['draws_y_x'][i]), i
        assert bounds == tuple(data['draw_upper_exclusive_y_x'][i]), i


@pytest.mark.parametrize('path', golden_files('hrda', 'fusion'))
def test_fusion(path):
    for i, case in cases(load(path)):
        context, detail, logits = (leaf(case[f'{name}_logits']) for name in ('lr', 'hr', 'att'))
        fixed = scalar(case, 'fixed_attention_f64')
        stride, (low, high) = scalar(case, 'os'), case['scales_f64'].tolist()
        fused, attenuated = fuse(
            context,
            detail,
            logits.sigmoid() if np.isnan(fixed) else fixed,
            [round(length * high / low) for length in context.shape[-2:]],
            stride,
            low,
            box_of(case['box_y1_y2_x1_x2']),
        )
        close(fused, case['fused'], f'{i} fused')
        close(attenuated, case['lr_out'], f'{i} context')
        close(detail, case['hr_out'], f'{i} detail')
        ramp_sum(fused).backward()
        for name, leaf_ in (('lr', context), ('hr', detail), ('att', logits)):
            close_gradient(leaf_.grad, case[f'grad_{name}'], f'{i} {name}')


def weights_of(detail: float, context: float) -> dict:
    """Return the weights of the levels for an adaptor from those of the original."""
    levels = dict(main=1 - detail - context, detail=detail, context=context)
    return {f'{term}_{level}': weight for term in ('seg', 'mix') for level, weight in levels.items()}


@pytest.mark.parametrize('path', golden_files('hrda', 'losses'))
def test_losses(path):
    data = load(path)
    labels = torch.from_numpy(data['labels'][:, 0].astype(np.int64))
    size = tuple(labels.shape[-2:])
    for i, case in cases(data):
        detail, context = scalar(case, 'hr_loss_weight_f64'), scalar(case, 'lr_loss_weight_f64')
        logits = dict(detail=leaf(case['hr']), context=leaf(data['lr']), main=leaf(data['fused']))
        used = {'main': True, 'detail': detail > 0, 'context': context > 0}
        outputs = HRDAOutputs(
            logits={level: value for level, value in logits.items() if used[level]},
            features=(),
            size=size,
            align_corners=False,
            box=box_of(data['box_y1_y2_x1_x2']) if case['has_crop'] else Box(0, size[0], 0, size[1]),
        )
        adaptor = Losses(weights_of(detail, context), outputs)
        weight = torch.from_numpy(data['weights']) if case['use_weights'] else torch.ones(labels.shape)
        found = adaptor.pixel_losses('mix', WeightedImages(torch.zeros(0), labels, weight))
        names = dict(main='fused', detail='hr', context='lr')
        for level, name in names.items():
            stored = case[f'loss_{name}']
            assert np.isnan(stored) == (not used[level]), i
            if used[level]:
                close(found[f'loss_mix_{level}'], stored, f'{i} {name}')
        total = sum(found.values())
        close(total, case['total'], f'{i} total')
        total.backward()
        for level, name in names.items():
            close_gradient(logits[level].grad, case[f'grad_{name}'], f'{i} {name}')


class Losses(DACS):
    """The losses of DACS on given outputs, without a forward pass."""

    def __init__(self, loss_weights: dict, outputs: HRDAOutputs) -> None:
        super().__init__(tiny_segmentor(two_levels=False))
        self.loss_weights, self.outputs = loss_weights, outputs

    def segment(self, batch: dict) -> HRDAOutputs:
        return self.outputs


@pytest.mark.parametrize('path', golden_files('hrda', 'slide'))
def test_windows(path):
    compared = 0
    for i, case in cases(load(path)):
        size, window = case['img_hw'].tolist(), case['window_hw'].tolist()
        windows = sliding_windows(size, window, overlap=bool(case['overlapping']))
        np.testing.assert_array_equal(windows, case['boxes_y1_y2_x1_x2'])
        batch = scalar(case, 'batch')
        if not batch:
            continue
        images = torch.arange(batch * size[0] * size[1], dtype=torch.float32).view(batch, 1, *size)
        np.testing.assert_array_equal(cut_windows(images, windows)[:, 0, 0, 0], case['crop_first_pixel'])
        logits = torch.from_numpy(case['logits'])
        stride = windows[0].size[0] // logits.shape[2]
        joined = join_windows(logits, windows, [length // stride for length in size], stride)
        close(joined, case['averaged'], str(i))
        compared += 1
    assert compared


def tensors(data: dict, prefix: str) -> list[Tensor]:
    found = []
    while f'{prefix}{len(found)}' in data:
        found.append(torch.from_numpy(data[f'{prefix}{len(found)}']))
    return found


def build_head(state: dict, data: dict):
    init_default_scope('mmseg')
    cfg = hrda_head(shapes_of(state), data['aspp_dilations'].tolist(), scalar(data, 'os'))
    scale = data['train/lr_out'].shape[-1] / data['train/fused'].shape[-1]
    head = MODELS.build(dict(cfg, context_scale=scale))
    load_state(head, state)
    return head


def statistics_in(network: torch.nn.Module) -> set[str]:
    """Return the names of the running statistics of a network."""
    return {name for name in network.state_dict() if name.endswith(('running_mean', 'running_var'))}


def full_size(data: dict) -> tuple[int, int]:
    """Return the size (H, W) of the images whose features are stored."""
    return tuple(length * scalar(data, 'os') for length in data['train/fused'].shape[-2:])


@pytest.mark.parametrize('path', golden_files('hrda', 'head_forward'))
def test_head(path):
    data = load(path)
    names, slid = sorted({key.split('/')[0] for key in data}), 0
    assert names
    for name in names:
        case = section(data, name)
        head = build_head(section(case, 'state'), case).train()
        context, size = tensors(case, 'lr_feat'), full_size(case)
        found = head(context, tensors(case, 'hr_feat'), size, box_of(case['box_y1_y2_x1_x2']))
        for ours, stored in zip(found, ('fused', 'lr_out', 'hr_out'), strict=True):
            close(ours, case[f'train/{stored}'], f'{name} {stored}')
        after = section(case, 'state_after_train_forward', optional=True)  # one of the heads has no batch-norm
        assert set(after) == statistics_in(head)
        for key, value in state_of(head, after).items():
            close(value, after[key], f'{name} {key}')
        if any(key.startswith('slide/') for key in case):
            windows = [Box(*window) for window in case['slide/boxes_y1_y2_x1_x2'].tolist()]
            with torch.no_grad():
                found = head.eval()(context, tensors(case, 'slide/feat'), size, windows)
            close(found.fused, case['slide/fused'], f'{name} slide')
            close(found.detail, case['slide/hr_averaged'], f'{name} slide')
            slid += 1
    assert slid


def quarters(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.float32)) / 4


@pytest.mark.parametrize('path', golden_files('hrda', 'inference'))
def test_inference(path):
    data = load(path)
    init_default_scope('mmseg')
    state = section(data, 'state')
    cfg = hrda_segmentor(
        shapes_of(state), data['aspp_dilations'].tolist(), 4, data['hr_crop_hw'].tolist(),
        test_cfg=ConfigDict(
            mode='slide', crop_size=data['outer_window_hw'].tolist(), stride=data['outer_stride_hw'].tolist()
        ),
    )  # fmt: skip
    segmentor = MODELS.build(cfg).eval()
    load_state(segmentor, state)
    image = quarters(data['image_x4'])
    sample = SegDataSample(metainfo=dict(ori_shape=tuple(data['ori_hw'].tolist()), img_shape=image.shape[-2:]))
    with torch.no_grad():
        (found,) = segmentor.predict(image, [sample])
    close(found.seg_logits.data[None, :, ::4, ::4], data['slide_logits_every4'], 'logits')
    np.testing.assert_array_equal(found.pred_sem_seg.data[0], data['prediction'])

    load_state(segmentor.train(), state)
    with torch.no_grad():
        logits = segmentor(quarters(data['teacher/image_x4']), mode='sliding').upsample('main')
    close(logits[:, :, ::4, ::4], data['teacher/logits_every4'], 'teacher')
    np.testing.assert_array_equal(logits.argmax(dim=1), data['teacher/argmax'])
    after = section(data, 'teacher/state_after')
    assert set(after) == statistics_in(segmentor)
    for key, value in state_of(segmentor, after).items():
        close(value, after[key], key)


HYPER = ('lr', 'beta1', 'beta2', 'weight_decay', 'head_factor', 'detail')


@MODELS.register_module()
class OnlyWeighted(DACS):
    """A method that trains with the weighted losses of labelled images, as in the stored trainings."""

    def adapt(self, source: dict, target: dict):
        images = WeightedImages(
            source['inputs'],
            torch.cat([sample.gt_sem_seg.data for sample in source['data_samples']]),
            torch.stack([sample.weight.data[0] for sample in source['data_samples']]),
        )
        yield 'segmentor', self.pixel_losses('mix', images)


@pytest.mark.parametrize('path', golden_files('hrda', 'trajectory'))
def test_trajectory(path):
    data = load(path)
    hyper = dict(zip(HYPER, data['hyper_f64'].tolist(), strict=True))
    init = section(data, 'init')
    model = MODELS.build(
        dict(
            type='OnlyWeighted',
            segmentor=hrda_segmentor(
                shapes_of(init),
                data['aspp_dilations'].tolist(),
                scalar(data, 'os'),
                data['hr_crop_hw'].tolist(),
                divisor=scalar(data, 'divisor'),
            ),
            loss_weights=weights_without_context(hyper['detail']),
        )
    )
    network = model.segmentor
    assert network.num_classes == scalar(data, 'num_classes')
    load_state(network, init)
    wrappers = PerModuleOptimWrapperConstructor(adamw(hyper))(model)
    check_groups(wrappers['segmentor'].optimizer, network, data)
    random, drawn = np.random.RandomState(scalar(data, 'numpy_seed')), []

    def draw(bound: int) -> int:
        drawn.append(int(random.randint(bound)))
        return drawn[-1]

    network.draw_integer = draw
    model.train()
    for i in steps(data):
        logs = model.train_step(batch(data, i), wrappers)
        assert drawn == data['box_draws_y_x'][: i + 1][data['box_draws_y_x'][: i + 1] >= 0].tolist()  # -1: no draw
        close(logs['loss_mix_main'] * (1 - hyper['detail']), data['loss_fused'][i], f'{i} fused')
        close(logs['loss_mix_detail'] * hyper['detail'], np.nan_to_num(data['loss_hr'][i]), f'{i} detail')  # NaN: none
        check_length(network, data, data['weights_l2_after_step_f64'][i], i, FINAL)
    final, noise = section(data, 'final'), set(data['noise_keys'].tolist())
    assert set(final) - noise
    for key, value in state_of(network, final).items():
        if key not in noise:
            close(value, final[key], key, FINAL)


def weights_without_context(detail: float) -> dict:
    return {name: weight for name, weight in weights_of(detail, 0.0).items() if not name.endswith('context')}


def batch(data: dict, i: int) -> dict:
    images = quarters(data[f'image{i}_x4'])
    weights = quarters(data[f'weight{i}_x4']) if data['use_weights'] else torch.ones(len(images), *images.shape[-2:])
    samples = []
    for label, weight in zip(data[f'label{i}'].astype(np.int64), weights, strict=True):
        sample = SegDataSample()
        sample.gt_sem_seg, sample.weight = PixelData(data=torch.from_numpy(label)), PixelData(data=weight[None])
        samples.append(sample)
    return dict(
        source=dict(inputs=images, data_samples=samples),
        target=dict(inputs=images, data_samples=[SegDataSample() for _ in images]),
    )
