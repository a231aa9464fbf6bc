"""FDA, compared with stored values of the original: spectra, entropy, data, labels, mean of networks, trainings."""

import json

import numpy as np
import pytest
import standins_fda  # noqa: F401
import torch
from golden import SHIPPED_DIR, cases, golden_files, load, scalar, section, steps
from mmengine.dataset import BaseDataset, Compose, pseudo_collate
from mmengine.optim import PolyLR
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from PIL import Image
from torch import Tensor

from mmuda.constants import IGNORE_INDEX
from mmuda.datasets.classes import CITYSCAPES_CLASSES
from mmuda.datasets.label_tables import get_label_table
from mmuda.engine import PerModuleOptimWrapperConstructor
from mmuda.evaluation import DomainIoUMetric
from mmuda.labeling import most_likely
from mmuda.models.losses import cross_entropy
from projects.fda import (
    RELEASED_NORM,
    ProbabilityEnsemble,
    QuantileCap,
    SoftEncoderDecoder,
    StyledPairDataset,
    robust_entropy,
    swap_spectrum,
    window_bounds,
    window_size,
)
from projects.fda.mean import weighted_mean

GREY, LOSS, WEIGHT = 1e-3, 1e-5, 1e-5
"""Tolerances that the README of the files suggests: of grey values, and of losses and weights relative to 1 + v."""
TIES = 5


def close(ours, stored, message: str, tolerance: float = LOSS) -> None:
    ours, stored = np.asarray(ours.detach() if isinstance(ours, Tensor) else ours), np.asarray(stored)
    assert ours.shape == stored.shape, message
    apart = np.abs(ours - stored).max() / (1 + np.abs(stored).max())
    assert apart <= tolerance, (message, apart)


# Spectra.


@pytest.mark.parametrize('path', golden_files('fda', 'spectrum_swap'))
def test_spectrum(path):
    for i, case in cases(load(path)):
        source, target = (torch.from_numpy(case[name]).float() for name in ('src', 'trg'))
        beta = scalar(case, 'beta_f64')
        assert window_size(source.shape[-2:], beta) == case['b'], i
        ours = swap_spectrum(source, target, beta)
        assert np.abs(ours.numpy() - case['out']).max() <= GREY, i
        of_demo = swap_spectrum(source[:1].double(), target[:1].double(), beta, 'symmetric')
        assert np.abs(of_demo.numpy() - case['np_out']).max() <= GREY, i
        if 'out_full_complex' in case:
            apart = np.abs(ours.numpy() - case['out_full_complex']).max()
            assert apart == pytest.approx(case['max_abs_diff_full_complex'], abs=GREY)


@pytest.mark.parametrize('path', golden_files('fda', 'spectrum_swap', SHIPPED_DIR))
def test_the_shipped_images_tell_the_transforms_apart(path):
    """The inverse transform of the whole spectrum, which the released code does not compute, gives other images."""
    apart = [case['max_abs_diff_full_complex'] for _, case in cases(load(path)) if 'out_full_complex' in case]
    assert apart and min(apart) > 1


def exchanged(size: list[int], beta: float, window: str = 'released') -> np.ndarray:
    """Return the exchanged frequencies as a mask of the half spectrum."""
    first, last, columns = window_bounds(size, beta, window)
    chosen = np.zeros((size[0], size[1] // 2 + 1), bool)
    chosen[:first, :columns] = True
    chosen[last:, :columns] = True
    return chosen


@pytest.mark.parametrize('path', golden_files('fda', 'windows'))
def test_windows(path):
    for i, case in cases(load(path)):
        height, width = size = case['hw'].tolist()
        beta = scalar(case, 'beta_f64')
        half = exchanged(size, beta)
        # Values that the released code writes into the right half have no effect. The left half determines the image.
        whole = np.zeros(size, bool)
        whole[:, : half.shape[1]] = half
        b = window_size(size, beta)
        whole[:, width - b :] |= np.roll(whole, -b, axis=1)[:, width - b :] | whole[:, :b] if b else False
        np.testing.assert_array_equal(whole, case['torch_window'], err_msg=str(i))
        half = exchanged(size, beta, 'symmetric')
        rows, columns = -np.arange(height) % height, -np.arange(width) % width
        whole = np.zeros(size, bool)
        whole[:, : half.shape[1]] = half
        whole |= whole[rows][:, columns]  # symmetric, as the spectrum of a real image
        np.testing.assert_array_equal(whole, case['np_window'], err_msg=str(i))


# Losses.


def up(logits: Tensor, size) -> Tensor:
    return torch.nn.functional.interpolate(logits, tuple(size), mode='bilinear', align_corners=True)


@pytest.mark.parametrize('path', golden_files('fda', 'entropy'))
def test_losses(path):
    data = load(path)

    def check(loss: Tensor, logits: Tensor, stored: dict, name: str) -> None:
        loss.backward()
        close(loss, stored[f'loss_{name}'], name)
        wanted = stored[f'grad_{name}']
        assert np.abs(logits.grad.numpy() - wanted).max() <= 1e-4 * np.abs(wanted).max(), name

    for i, eta in enumerate(data['ita_f64'].tolist()):
        logits = torch.from_numpy(data['logits']).requires_grad_()
        check(robust_entropy(logits, eta, RELEASED_NORM), logits, section(data, f'ita{i}'), 'ent')
    logits = torch.from_numpy(data['logits']).requires_grad_()
    labels = torch.from_numpy(data['labels'].astype(np.int64))
    check(cross_entropy(up(logits, labels.shape[-2:]), labels), logits, data, 'ce')
    other = section(data, 'other_classes')
    logits = torch.from_numpy(other['logits']).requires_grad_()
    check(robust_entropy(logits, 2.0, RELEASED_NORM), logits, other, 'ent')


def test_the_norm_matters():
    """The released constant differs from ln 19, so that the test above tells the two norms apart."""
    logits = torch.zeros(1, 19, 2, 2)
    assert robust_entropy(logits, 0.5).item() != pytest.approx(robust_entropy(logits, 0.5, RELEASED_NORM).item())


@pytest.mark.parametrize('path', golden_files('fda', 'lr'))
def test_learning_rates(path):
    data = load(path)

    def check(name: str, cfg: dict, base: float, factor: float, other: str) -> None:
        case = section(data, name)
        weights = [torch.nn.Parameter(torch.zeros(())) for _ in range(2)]
        optimizer = torch.optim.SGD([dict(params=weights[:1]), dict(params=weights[1:], lr=factor * base)], lr=base)
        schedule = PARAM_SCHEDULERS.build(dict(cfg, optimizer=optimizer, by_epoch=False))
        optimizer.step()
        wanted = dict(zip(data['iters'].tolist(), zip(case['lr_f64'], case[other], strict=True), strict=True))
        for i in range(max(wanted) + 1):
            if i in wanted:
                np.testing.assert_allclose([g['lr'] for g in optimizer.param_groups], wanted[i], rtol=1e-8, atol=1e-16)
            schedule.step()

    for name in sorted({key.split('/')[0] for key in data if '/' in key} - {'vgg'}):
        base, total, power = data[f'{name}/base_max_power_f64'].tolist()
        check(name, dict(type='PolyLR', power=power, begin=0, end=int(total) + 1), base, 10, 'lr_head_f64')
    check('vgg', dict(type='StepLR', step_size=50000, gamma=0.1), scalar(data, 'vgg/base_f64'), 2, 'lr_bias_f64')


# Data.


TABLES = dict(gta='gta5', synthia='synthia', cityscapes='cityscapes')


@pytest.mark.parametrize('path', golden_files('fda', 'data_item'))
def test_data(path, tmp_path):
    data = load(path)
    scale, window = data['resize_wh'].tolist(), data['crop_wh'].tolist()
    files = dict(img_path=str(tmp_path / 'image.png'))
    Image.fromarray(data['image']).save(files['img_path'])
    for name, table in TABLES.items():
        case = section(data, name)
        files['seg_map_path'] = str(tmp_path / f'{name}.png')
        Image.fromarray(data[f'{"synthia" if name == "synthia" else "gta"}_label']).save(files['seg_map_path'])
        np.random.seed(scalar(data, 'numpy_seed'))
        with DefaultScope.overwrite_default_scope('mmseg'):
            sample = Compose(
                [
                    dict(type='LoadDomainImage'),
                    dict(type='LoadDomainAnnotations', table=table, unknown=IGNORE_INDEX),
                    dict(
                        type='Resize',
                        scale=tuple(window if name == 'cityscapes' else scale),
                        keep_ratio=False,
                        backend='pillow',
                        interpolation='bicubic',
                    ),
                    *([] if name == 'cityscapes' else [dict(type='OpenCrop', size=window[::-1])]),
                ]
            )(dict(files, seg_fields=[]))
        if 'offset_xy' in case:
            np.random.seed(scalar(data, 'numpy_seed'))
            drawn = [np.random.randint(max(1, whole - part)) for whole, part in zip(scale, window, strict=True)]
            assert drawn == case['offset_xy'].tolist(), 'the file must have the random numbers of our generator'
        assert np.abs(sample['img'].transpose(2, 0, 1) - case['image_bgr']).max() <= 1, name
        np.testing.assert_array_equal(sample['gt_seg_map'], case['label'], err_msg=name)


# The mean of several networks.


def mean_probabilities(logits: np.ndarray, size, weights: list[float]) -> Tensor:
    """Return probabilities (C, H, W) of one image from logits (networks, C, h, w), upsampled before the softmax."""
    return weighted_mean([up(torch.from_numpy(one)[None], size).softmax(dim=1)[0] for one in logits], weights)


@pytest.mark.parametrize('exact', [True, False])
@pytest.mark.parametrize('path', golden_files('fda', 'pseudo_label'))
def test_pseudo_labels(path, exact):
    data = load(path)
    weights, size = data['weights_f64'].tolist(), data['out_hw'].tolist()
    strategy = QuantileCap(scalar(data, 'quantile_f64'), scalar(data, 'cap_f64'), exact=exact)
    count, classes = data['logits'].shape[1:3]
    statistics = strategy.new_statistics(classes)
    images = [mean_probabilities(data['logits'][:, i], size, weights) for i in range(count)]
    for probs in images:
        statistics.add(*most_likely(probs))
    thresholds = strategy.thresholds(statistics)
    np.testing.assert_allclose(thresholds, data['thresholds_f64'], rtol=0, atol=1e-6 if exact else 1e-4)
    if not exact:
        return
    uncapped = QuantileCap(strategy.share, 1.0, exact=True).thresholds(statistics)
    np.testing.assert_allclose(uncapped, data['thresholds_raw_f64'], rtol=0, atol=1e-6)
    for i, probs in enumerate(images):
        labels = strategy.label(probs, torch.from_numpy(data['thresholds_f64'])).numpy()
        assert (labels[::4, ::4] != data[f'pseudo{i}_every4']).sum() <= TIES
        kept = np.bincount(labels.ravel(), minlength=256)
        assert np.abs(kept[:classes] - data[f'kept_per_class{i}']).max() <= TIES
        assert abs(kept[IGNORE_INDEX] - data[f'ignored{i}']) <= TIES


@MODELS.register_module()
class StoredSoft(SoftEncoderDecoder):
    """A segmentor that returns stored logits (images, C, h, w)."""

    def __init__(self, logits: np.ndarray) -> None:
        torch.nn.Module.__init__(self)
        self.stored, self.align_corners = iter(logits), True
        self.extract_feat = lambda image: image
        self.decode_head = lambda _: torch.from_numpy(next(self.stored))[None]

    def test_step(self, data: dict) -> list:
        return self.predict(torch.zeros(1, 3, 8, 8), data['data_samples'])


@pytest.mark.parametrize('path', golden_files('fda', 'mbt_eval'))
def test_mean_of_networks(path, tmp_path):
    data = load(path)
    size, repeat = tuple(data['out_hw'].tolist()), scalar(data, 'gt_repeat')
    ensemble = ProbabilityEnsemble(
        [dict(type='StoredSoft', logits=logits) for logits in data['logits']], weights=[0.3333, 0.3333, 0.3334]
    )
    raw = data['gt_labelids_small'].repeat(repeat, axis=1).repeat(repeat, axis=2)
    table = np.full(256, IGNORE_INDEX, np.uint8)
    for label, train in get_label_table('cityscapes').pairs:
        table[label] = train
    truth = table[raw]
    metric = DomainIoUMetric(protocols=('mIoU16', 'mIoU13'), json_file=str(tmp_path / 'scores.json'))
    metric.dataset_meta = dict(classes=CITYSCAPES_CLASSES)
    for i, labels in enumerate(truth):
        with torch.no_grad():
            (found,) = ensemble.test_step(dict(data_samples=[SegDataSample(metainfo=dict(ori_shape=size))]))
        predicted = found.pred_sem_seg.data
        assert (predicted[0, ::8, ::8].numpy() != data[f'pred{i}_every8']).sum() <= TIES
        metric.process(
            None, [dict(pred_sem_seg=dict(data=predicted), gt_sem_seg=dict(data=torch.from_numpy(labels)[None]))]
        )
    scores = metric.evaluate(len(truth))
    hist = np.array(json.loads((tmp_path / 'scores.json').read_text())['confusion_matrix'])
    assert np.abs(hist - data['hist_i64']).sum() <= 2 * TIES
    iou = np.array([scores[f'IoU/{name}'] for name in CITYSCAPES_CLASSES]) / 100
    union = hist.sum(axis=0) + hist.sum(axis=1) - np.diag(hist)
    slack = 1e-5 + np.abs(hist - data['hist_i64']).sum() / np.maximum(union, 1)  # of each class, for ties
    assert (np.isnan(iou) == np.isnan(data['iou_f64'])).all()
    assert (np.nan_to_num(np.abs(iou - data['iou_f64'])) <= slack).all()
    for key, name in (('mIoU', 'mIoU19'), ('mIoU16', 'mIoU16'), ('mIoU13', 'mIoU13')):
        stored = scalar(data, f'{name}_percent_rounded_f64')
        assert scores[key] == pytest.approx(stored, abs=0.005 + 100 * slack.mean(), nan_ok=True), name


# Trainings.

HYPER = ('beta', 'entropy', 'eta', 'switch', 'horizon', 'lr', 'momentum', 'weight_decay', 'power')


class StoredImages(BaseDataset):
    """A data set of stored images, with or without labels."""

    METAINFO = dict(classes=CITYSCAPES_CLASSES)

    def __init__(self, images: list[np.ndarray], labels: list[np.ndarray] | None = None) -> None:
        self.images, self.labels = images, labels
        super().__init__(serialize_data=False)

    def load_data_list(self) -> list[dict]:
        items = []
        for i, image in enumerate(self.images):
            sample = SegDataSample()
            if self.labels is not None:
                sample.gt_sem_seg = PixelData(data=torch.from_numpy(self.labels[i].astype(np.int64))[None])
            items.append(dict(inputs=torch.from_numpy(image), data_samples=sample))
        return items


def every(data: dict, name: str) -> list[np.ndarray]:
    """Return the images or labels of all iterations."""
    return [image for i in range(scalar(data, 'num_steps_run')) for image in data[name.format(i)]]


def pairs(data: dict, beta: float) -> StyledPairDataset:
    source = StoredImages(every(data, 'src_image{}'), every(data, 'src_label{}'))
    styles = StoredImages(every(data, 'trg_image{}'))
    if 'psu_image0' not in data:
        return StyledPairDataset(source, styles, beta=beta)
    labelled = StoredImages(every(data, 'psu_image{}'), every(data, 'psu_label{}'))
    found = StyledPairDataset(source, labelled, beta=beta, style=styles, pseudo_labels=True)
    found.read_style = lambda n: styles[n]['inputs']  # in the file, the n-th image has the n-th style
    return found


def build(data: dict, hyper: dict, optimizer: dict, repeats: str | None) -> tuple:
    init = section(data, 'init')
    model = MODELS.build(
        dict(
            type='FDA',
            segmentor=dict(type='FDAStandIn', shapes={name: value.shape for name, value in init.items()}),
            data_preprocessor=dict(
                type='DomainPairPreprocessor', mean=data['mean_bgr'].tolist(), std=[1.0] * 3, bgr_to_rgb=False
            ),
            eta=hyper['eta'],
            norm=RELEASED_NORM,
            entropy_after=int(hyper['switch']),
            pseudo_labels='psu_image0' in data,
            loss_weights=dict(ent_main=hyper['entropy']),
        )
    )
    assert model.segmentor.decode_head.num_classes == scalar(data, 'num_classes')
    model.segmentor.load_original(init)
    wrappers = PerModuleOptimWrapperConstructor(
        dict(
            segmentor=dict(
                optimizer=dict(
                    optimizer, lr=hyper['lr'], momentum=hyper['momentum'], weight_decay=hyper['weight_decay']
                ),
                repeats=repeats,
                paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0))),
            )
        )
    )(model)
    end = int(hyper['horizon']) + 1
    return model, wrappers, PolyLR(wrappers['segmentor'], power=hyper['power'], begin=0, end=end, by_epoch=False)


VARIANTS = {
    '': (dict(type='SGD'), None),
    'legacy/': (dict(type='LegacySGD', version='0.4'), 'backbone'),
    'modern/': (dict(type='LegacySGD', version='1.9'), 'backbone'),
}
"""Optimizers by the prefix of the keys of their results."""


def trainings() -> list:
    """Return a pytest parameter for each file and each optimizer with results in it."""
    found = []
    for file in golden_files('fda', 'trajectory'):
        (path,) = file.values
        keys = np.load(path).files if path.is_file() else []
        listed = [name for name in VARIANTS if name and any(key.startswith(name) for key in keys)]
        found += [pytest.param(path, name, id=f'{file.id} {name}'.strip(' /')) for name in listed or ['']]
    return found


@pytest.mark.parametrize(('path', 'variant'), trainings())
def test_trajectory(path, variant):
    stored = load(path)
    data = stored if 'src_image0' in stored else {**load(path.parent / 'trajectory_fda.npz'), **stored}
    hyper = dict(zip(HYPER, data['hyper_f64'].tolist(), strict=True))
    model, wrappers, schedule = build(data, hyper, *VARIANTS[variant])
    network, dataset = model.segmentor, pairs(data, hyper['beta'])
    count = len(data['src_image0'])
    model.train()
    for i in steps(stored, 'num_steps_run'):
        if f'{variant}lr_f64' in stored:
            groups = wrappers['segmentor'].optimizer.param_groups
            assert sorted({group['lr'] for group in groups}) == pytest.approx(
                [stored['lr_f64'][i], stored['lr_head_f64'][i]], rel=1e-9
            )
        network.seen.clear()
        batch = pseudo_collate([dataset[(n, n, n)] for n in range(i * count, (i + 1) * count)])
        if i == 0 and 'net_input_src0_every2' in stored:
            images = model.data_preprocessor(batch, training=True)['source']['inputs']
            assert np.abs(images[:, :, ::2, ::2].numpy() - stored['net_input_src0_every2']).max() <= GREY
        logs = model.train_step(batch, wrappers)
        schedule.step()
        on_source, on_target = network.seen
        other = 'psu' if 'psu_image0' in data else 'trg'
        found = dict(
            loss_ce_src=logs['loss_seg_main'],
            loss_ent_src=robust_entropy(on_source.logits['main'], hyper['eta'], RELEASED_NORM),
            **{f'loss_ent_{other}': logs['loss_ent_main']},
        )
        if other == 'psu':
            found['loss_ce_psu'] = logs['loss_pseudo_main']
        else:
            labels = torch.from_numpy(data[f'trg_label{i}'].astype(np.int64))
            found['loss_ce_trg'] = cross_entropy(on_target.upsample('main'), labels)
        for name, value in found.items():
            close(value, stored[variant + name][i], f'{i} {name}')
        state = network.to_original()
        l2 = np.sqrt(sum(value.detach().double().square().sum().item() for value in state.values()))
        assert l2 == pytest.approx(stored[f'{variant}weights_l2_after_step_f64'][i], rel=WEIGHT)
    stored_final = variant != 'modern/'  # the file has no final weights of this variant
    final = section(stored, f'final_{variant.strip("/")}' if variant else 'final', optional=not stored_final)
    assert set(final) == (set(state) if stored_final else set())
    for name, value in final.items():
        close(state[name], value, name, WEIGHT)
