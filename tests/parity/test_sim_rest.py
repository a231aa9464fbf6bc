"""Parts that SIM shares with other methods, compared with the original: adversary, learning rates, data, evaluation."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from golden import golden_files, load, scalar
from mmengine.dataset import Compose
from mmengine.optim import PolyLR
from mmengine.registry import DefaultScope
from mmseg.datasets import CityscapesDataset
from PIL import Image
from standins import discriminator_names, load_discriminator
from toolbox import tiny_adaptor, tiny_segmentor

from mmuda.datasets import CITYSCAPES_CLASSES, GTA5Dataset, SYNTHIADataset
from mmuda.evaluation import DomainIoUMetric
from mmuda.models import DomainPairPreprocessor, frozen
from mmuda.models.losses import SOURCE, TARGET
from mmuda.models.segmentors import SegOutputs

LOSS = dict(rtol=0, atol=1e-6)


def starting_with(data: dict, prefix: str) -> dict:
    return {key[len(prefix) :]: value for key, value in data.items() if key.startswith(prefix)}


# The adversary, through SIM.


def seen(logits: np.ndarray, size: np.ndarray) -> SegOutputs:
    return SegOutputs(
        dict(main=torch.from_numpy(logits).requires_grad_()), (), tuple(size.tolist()), align_corners=True
    )


@pytest.mark.parametrize('path', golden_files('sim', 'adversarial'))
def test_adversary(path):
    data = load(path)
    weights = starting_with(data, 'D.')
    width, num_classes = weights['conv1.weight'].shape[:2]
    model = tiny_adaptor(
        'SIM',
        segmentor=tiny_segmentor(False, num_classes),
        stuff=(0,),
        things=(1,),
        loss_weights=dict(adv_main=1.0),
        discriminator=dict(type='FCDiscriminatorHead', in_channels=num_classes, base_channels=width),
    )
    critic = model.discriminator
    load_discriminator(critic, weights)
    source, target = (seen(data[f'{name}_logits'], data[f'{name}_size']) for name in ('src', 'trg'))
    for outputs, name in ((source, 'src'), (target, 'trg')):
        scores = critic(model.discriminator_input(outputs, 'main')).detach()
        np.testing.assert_allclose(scores, data[f'D_out_{name}'], **LOSS)

    with frozen(critic):
        loss = model.adversarial_losses(target)['loss_adv_main']
        loss.backward()
    np.testing.assert_allclose(loss.item(), data['loss_adv'], **LOSS)
    np.testing.assert_allclose(target.logits['main'].grad, data['grad_trg_logits'], rtol=1e-4, atol=1e-9)
    assert all(parameter.grad is None for parameter in critic.parameters())

    for outputs, domain, side, name in ((source, SOURCE, 'source', 'src'), (target, TARGET, 'target', 'trg')):
        losses = model.discriminator_losses('main', outputs.detach(features=False), domain)
        loss = losses[f'loss_dis_main_{side}']
        np.testing.assert_allclose(loss.item(), data[f'loss_D_{name}_half'], **LOSS)
        loss.backward()
    gradients = starting_with(data, 'gradD.')
    names, parameters = discriminator_names(gradients), dict(critic.named_parameters())
    assert set(names.values()) == set(parameters)
    for key, stored in gradients.items():
        np.testing.assert_allclose(parameters[names[key]].grad, stored, rtol=1e-4, atol=1e-7, err_msg=key)


# Learning rates.


@pytest.mark.parametrize('path', golden_files('sim', 'lr_schedule'))
def test_learning_rates(path):
    data = load(path)
    base, total = scalar(data, 'base_lr'), scalar(data, 'max_iter')
    weight = lambda: torch.nn.Parameter(torch.zeros(()))  # noqa: E731
    optimizers = [
        torch.optim.SGD([dict(params=[weight()]), dict(params=[weight()], lr=10 * base)], lr=base),
        torch.optim.Adam([weight()], lr=scalar(data, 'base_lr_D')),
    ]
    # The `end` of mmengine is the first step after the schedule: one more than the number of iterations.
    poly = dict(power=scalar(data, 'power'), begin=0, end=total + 1, by_epoch=False)
    schedulers = [PolyLR(optimizer, **poly) for optimizer in optimizers]
    for optimizer in optimizers:
        optimizer.step()  # mmengine warns if a scheduler steps before the optimizer
    wanted = {
        int(i): row
        for i, *row in zip(data['iter'], data['lr_backbone'], data['lr_classifier'], data['lr_D'], strict=True)
    }
    for i in range(max(wanted) + 1):
        if i in wanted:
            rates = [group['lr'] for optimizer in optimizers for group in optimizer.param_groups]
            np.testing.assert_allclose(rates, wanted.pop(i), rtol=1e-8, atol=1e-15, err_msg=str(i))
        for scheduler in schedulers:
            scheduler.step()
    assert not wanted


# From files to the input of the network.


@pytest.fixture
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv('MMUDA_CACHE_DIR', str(tmp_path / 'cache'))
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def resize(size_wh: np.ndarray) -> dict:
    return dict(
        type='Resize', scale=tuple(size_wh.tolist()), keep_ratio=False, backend='pillow', interpolation='bicubic'
    )


def check(data: dict, packed: dict, name: str) -> None:
    """Compare a sample after the preprocessor of the configs: BGR, minus the mean, not scaled."""
    preprocess = DomainPairPreprocessor(mean=data['mean_bgr'].tolist(), std=(1.0, 1.0, 1.0))
    batch = preprocess(
        dict(source=dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])), training=True
    )
    np.testing.assert_array_equal(batch['source']['inputs'][0], data[f'{name}_img_out'])
    np.testing.assert_array_equal(batch['source']['data_samples'][0].gt_sem_seg.data[0], data[f'{name}_label_out'])


def gta5(root: Path, image: np.ndarray, ids: np.ndarray, pipeline: list) -> GTA5Dataset:
    """Write one pair with a palette PNG; return its data set."""
    (root / 'images').mkdir(parents=True)
    (root / 'labels').mkdir()
    Image.fromarray(image).save(root / 'images' / '00001.png')
    label = Image.frombytes('P', ids.shape[::-1], ids.tobytes())
    label.putpalette([(5 * i) % 256 for i in range(768)])
    label.save(root / 'labels' / '00001.png')
    return GTA5Dataset(data_root=str(root), pipeline=pipeline, same_size=False)


def synthia(root: Path, image: np.ndarray, ids: np.ndarray, pipeline: list) -> SYNTHIADataset:
    """Write one pair with the one-channel ids that SIM reads; return its data set with all 19 classes."""
    folder = 'synthia_mapped_to_cityscapes'
    (root / 'RGB').mkdir(parents=True)
    (root / folder).mkdir()
    Image.fromarray(image).save(root / 'RGB' / '0000000.png')
    Image.fromarray(ids).save(root / folder / '0000000.png')
    return SYNTHIADataset(
        data_root=str(root), data_prefix=dict(img_path='RGB', seg_map_path=folder), pipeline=pipeline, same_size=False
    )


@pytest.mark.usefixtures('surroundings')
@pytest.mark.parametrize('name, key, build', [('gta', 'gta_label', gta5), ('synthia', 'synthia_label', synthia)])
@pytest.mark.parametrize('path', golden_files('sim', 'data_pipeline'))
def test_source(path, name, key, build, tmp_path):
    data = load(path)
    pipeline = [
        dict(type='LoadDomainImage'),
        dict(type='LoadDomainAnnotations', unknown=255),
        resize(data['crop_wh']),
        dict(type='PackSegInputs'),
    ]
    dataset = build(tmp_path / name, data['src_rgb'], data[key], pipeline)
    assert dataset.metainfo['classes'] == CITYSCAPES_CLASSES
    check(data, dataset[0], name)


@pytest.mark.usefixtures('surroundings')
@pytest.mark.parametrize('path', golden_files('sim', 'data_pipeline'))
def test_target_with_pseudo_label(path, tmp_path):
    data = load(path)
    Image.fromarray(data['trg_rgb']).save(tmp_path / 'image.png')
    Image.fromarray(data['trg_pseudo']).save(tmp_path / 'pseudo.png')
    steps = [
        dict(type='LoadDomainImage'),
        resize(data['trg_crop_wh']),
        dict(type='LoadPseudoLabel', resize=True),
        dict(type='PackSegInputs'),
    ]
    sample = dict(
        img_path=str(tmp_path / 'image.png'),
        seg_map_path=str(tmp_path / 'pseudo.png'),
        seg_fields=[],
        num_classes=len(CITYSCAPES_CLASSES),
    )
    check(data, Compose(steps)(sample), 'trg')


# Evaluation.


@pytest.mark.usefixtures('surroundings')
@pytest.mark.parametrize('path', golden_files('sim', 'eval_iou'))
def test_iou(path, tmp_path):
    data = load(path)
    for folder in ('leftImg8bit', 'gtFine'):
        (tmp_path / folder).mkdir()
    for number, ids in enumerate(data['gt_label_ids']):
        Image.fromarray(ids).save(tmp_path / 'gtFine' / f'{number:03}_gtFine_labelIds.png')
        Image.new('RGB', ids.shape[::-1]).save(tmp_path / 'leftImg8bit' / f'{number:03}_leftImg8bit.png')
    dataset = CityscapesDataset(
        data_root=str(tmp_path),
        data_prefix=dict(img_path='leftImg8bit', seg_map_path='gtFine'),
        seg_map_suffix='_gtFine_labelIds.png',
        pipeline=[dict(type='LoadDomainAnnotations', table='cityscapes', unknown=255)],
    )
    assert len(dataset) == len(data['pred'])
    metric = DomainIoUMetric(json_file=str(tmp_path / 'scores.json'))
    metric.dataset_meta = dataset.metainfo
    for sample, predicted in zip(dataset, data['pred'], strict=True):
        labels = dict(gt=sample['gt_seg_map'], pred=predicted)
        maps = {name: torch.from_numpy(label.astype(np.int64))[None] for name, label in labels.items()}
        metric.process(None, [{f'{name}_sem_seg': dict(data=one) for name, one in maps.items()}])
    scores = metric.evaluate(len(dataset))
    hist = np.array(json.loads((tmp_path / 'scores.json').read_text())['confusion_matrix'])
    np.testing.assert_array_equal(hist, data['hist'])
    iou = [scores[f'IoU/{name}'] / 100 for name in CITYSCAPES_CLASSES]
    np.testing.assert_allclose(iou, data['iou'], rtol=1e-12, atol=0, equal_nan=True)
    assert round(float(scores['mIoU']), 2) == scalar(data, 'miou_percent')
