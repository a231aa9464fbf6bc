"""Configs of converted networks with any number of classes."""

from pathlib import Path

from toolbox import CONFIGS

from mmuda.conversion import ORIGINS
from mmuda.datasets import CITYSCAPES_CLASSES


def config_for(origin: str, trunk: str, num_classes: int, two_levels: bool, folder: Path) -> Path | None:
    """Write a config of a converted network with another number of classes; None if the converter has one for it."""
    names = [f'{trunk} {number}{" aux" if two_levels else ""}' for number in (num_classes, 19)]
    if names[0] in ORIGINS[origin].configs:
        return None
    heads = ['decode_head', 'auxiliary_head'][: 1 + two_levels]
    network = {'segmentor': {name: {'num_classes': num_classes} for name in heads}}
    path = folder / 'other_classes.py'
    path.write_text(
        f'_base_ = [{str(CONFIGS / ORIGINS[origin].configs[names[1]])!r}]\nmodel = {network}\n'
        f'test_dataloader = dict(dataset=dict(metainfo=dict(classes={CITYSCAPES_CLASSES[:num_classes]})))\n'
    )
    return path
