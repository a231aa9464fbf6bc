"""Small real models, data sets, batches and configs, shared by many tests."""

import copy
import os
import random
from pathlib import Path

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.structures import PixelData
from mmseg.models.decode_heads import FCNHead
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import mmuda  # noqa: F401

CONFIGS = Path(__file__).parents[1] / 'configs'
NUM_CLASSES = 4


def tiny_segmentor(two_levels: bool = True, num_classes: int = NUM_CLASSES, **head) -> ConfigDict:
    """Return the config of a ResNet-18 of width 4 with one or two DeepLabV2 heads and output stride 8."""
    head = dict(type='DeepLabV2Head', num_classes=num_classes, dilations=(1, 2), **head)
    return ConfigDict(
        type='AdaptiveEncoderDecoder',
        backbone=dict(
            type='DeepLabResNet',
            depth=18,
            base_channels=4,
            stem_channels=4,
            style='pytorch',
            norm_cfg=dict(type='BN', requires_grad=True),
        ),
        decode_head=dict(head, in_channels=32, in_index=3),
        auxiliary_head=dict(head, in_channels=16, in_index=2) if two_levels else None,
        test_cfg=dict(mode='whole'),
    )


def tiny_adaptor(type: str = 'ADVENT', two_levels: bool = True, **kwargs):
    """Build a small adaptor; adversarial ones get their discriminators."""
    cfg = dict(type=type, segmentor=tiny_segmentor(two_levels), data_preprocessor=dict(type='DomainPairPreprocessor'))
    if type in ('ADVENT', 'AdaptSegNet'):
        critic = dict(type='FCDiscriminatorHead', in_channels=NUM_CLASSES, base_channels=2)
        cfg.update(discriminator=critic, aux_discriminator=critic if two_levels else None)
    cfg.update(kwargs)
    torch.manual_seed(0)
    return MODELS.build(ConfigDict(cfg))


def side(seed: int, labelled: bool, size=(40, 56), batch_size: int = 2) -> dict:
    """Return one domain of a collated batch."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(batch_size):
        sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
        if labelled:
            label = rng.integers(0, NUM_CLASSES, (1, *size))
            label[:, :3] = 255
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(label))
        samples.append(sample)
    images = [torch.from_numpy(rng.integers(0, 256, (3, *size), dtype=np.uint8)) for _ in range(batch_size)]
    return dict(inputs=images, data_samples=samples)


def labelled_side(seed: int, batch_size: int, ignored: float = 0.3, label_size=(40, 56), size=(40, 56)) -> dict:
    """Return one labelled domain of a batch with a share of ignored pixels. Labels can have a size of their own."""
    made = side(seed, False, size=size, batch_size=batch_size)
    generator = torch.Generator().manual_seed(seed)
    for sample in made['data_samples']:
        label = torch.randint(NUM_CLASSES, (1, *label_size), generator=generator)
        label[torch.rand(label.shape, generator=generator) < ignored] = 255
        sample.gt_sem_seg = PixelData(data=label)
    return made


def pair_batch(seed: int = 0, **kwargs) -> dict:
    """Return a collated batch of domain pairs. The images of the two domains differ in size."""
    return dict(source=side(seed, True, **kwargs), target=side(seed + 1000, False, **{**kwargs, 'size': (48, 40)}))


def optim_cfg(adaptor, lr: float = 0.01, **kwargs) -> dict:
    """Return an `optim_wrapper` config (without constructor) with one SGD for each trainable child of the adaptor."""
    children = [name for name, child in adaptor.named_children() if any(p.requires_grad for p in child.parameters())]
    return dict(**{name: dict(optimizer=dict(type='SGD', lr=lr, momentum=0.9)) for name in children}, **kwargs)


def wrappers_of(adaptor, **kwargs):
    """Build the optimizers of an adaptor, one SGD for each trainable child. The options are those of `optim_cfg`."""
    from mmuda.engine import PerModuleOptimWrapperConstructor

    return PerModuleOptimWrapperConstructor(optim_cfg(adaptor, **kwargs))(adaptor)


def prepared(adaptor, batch: dict) -> dict:
    """Return a copy of a batch after the training preprocessing of the adaptor."""
    return adaptor.data_preprocessor(copy.deepcopy(batch), training=True)


def plain_batch(*sizes, original=None, **meta) -> dict:
    """Return a collated test batch of images of these sizes. `original` sets another size for the image files."""
    torch.manual_seed(1)
    return dict(
        inputs=[torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in sizes],
        data_samples=[
            SegDataSample(metainfo=dict(ori_shape=original or size, img_shape=size, **meta)) for size in sizes
        ],
    )


@MODELS.register_module()
class FussyHead(FCNHead):
    """A head with its own `predict`."""

    def predict(self, inputs, batch_img_metas, test_cfg):
        return 3 * super().predict(inputs, batch_img_metas, test_cfg)


def two_stage_head(**kwargs) -> ConfigDict:
    """Return the config of a decode head that reads two feature maps."""
    return ConfigDict(
        type='FCNHead',
        in_index=(2, 3),
        in_channels=(16, 32),
        input_transform='resize_concat',
        channels=4,
        num_classes=NUM_CLASSES,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        **kwargs,
    )


def tiny_config(method: str, minicity: Path, work_dir: Path, **options):
    """Return `configs/<method>/minicity.py` at toy size: width 4, batch 2, a few iterations on the tiny MiniCity."""
    from mmuda.engine.launch import load_config

    os.environ['MINICITY_ROOT'] = str(minicity)
    try:
        cfg = load_config(CONFIGS / method / 'minicity.py', tiny_options(method, **options), str(work_dir))
    finally:
        del os.environ['MINICITY_ROOT']
    return cfg


def tiny_options(method: str, iters: int = 6, save: int = 2, val: int = 100, **options) -> dict:
    """Return the options (as for `--cfg-options`) that make `configs/<method>/minicity.py` tiny."""
    found = {
        'model.segmentor.backbone.base_channels': 4,
        'model.segmentor.backbone.stem_channels': 4,
        'model.segmentor.decode_head.in_channels': 32,
        'train_dataloader.batch_size': 2,
        'train_cfg.max_iters': iters,
        'train_cfg.val_interval': val,
        'default_hooks.checkpoint.interval': save,
        'default_hooks.logger.interval': 2,
        **options,
    }
    if method in ('advent', 'adaptsegnet'):
        found['model.discriminator.base_channels'] = 2
    return found


class Numbers(BaseDataset):
    """A data set whose pipeline draws from the three random generators: random, NumPy and PyTorch."""

    METAINFO = dict(classes=('a', 'b'))

    def __init__(self, size: int, **kwargs) -> None:
        self.size = size
        super().__init__(pipeline=[self.draw], **kwargs)

    def load_data_list(self):
        return [dict(number=i) for i in range(self.size)]

    @staticmethod
    def draw(results):
        drawn = [random.random(), np.random.rand(), torch.rand(()).item()]
        return dict(inputs=torch.tensor([results['number'], *drawn], dtype=torch.float64), data_samples=None)


def take(sampler, count: int) -> list:
    """Return the first samples of an endless sampler."""
    stream = iter(sampler)
    return [next(stream) for _ in range(count)]
