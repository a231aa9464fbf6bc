"""A tiny network with random weights, its config, and images for it."""

from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from toolbox import NUM_CLASSES, tiny_adaptor, tiny_segmentor

CLASSES = ('sky', 'ground', 'wall', 'thing')
PALETTE = [[10, 20, 200], [90, 60, 30], [200, 200, 0], [250, 0, 120]]


def save_network(path: Path, seed: int = 0) -> Path:
    """Write a checkpoint of a network whose predictions vary within an image."""
    adaptor = tiny_adaptor('SourceOnly', two_levels=False)
    torch.manual_seed(seed)
    for name, parameter in adaptor.named_parameters():
        if 'decode_head' in name:
            torch.nn.init.normal_(parameter, std=1.0)
    meta = dict(dataset_meta=dict(classes=CLASSES, palette=PALETTE))
    torch.save(dict(state_dict=adaptor.state_dict(), meta=meta), path)
    return path


def network_config(**pipeline) -> Config:
    """Return the config of the network. `resize` is an optional step of its test pipeline."""
    steps = [dict(type='LoadImageFromFile'), *([pipeline['resize']] if 'resize' in pipeline else [])]
    steps += [dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    model = dict(
        type='SourceOnly',
        segmentor=tiny_segmentor(two_levels=False),
        data_preprocessor=dict(type='DomainPairPreprocessor', mean=[90.0, 100, 110], std=[50.0, 60, 70]),
    )
    return Config(
        dict(
            default_scope='mmseg',
            custom_imports=dict(imports=['mmuda']),
            model=model,
            test_dataloader=dict(dataset=dict(type='BaseSegDataset', pipeline=steps)),
        )
    )


def picture(seed: int = 0, size=(40, 56)) -> np.ndarray:
    """Return an image (H, W, 3) uint8 with structures of a few pixels."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (size[0] // 5 + 1, size[1] // 5 + 1, 3), dtype=np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


assert len(CLASSES) == NUM_CLASSES
