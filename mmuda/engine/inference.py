"""Predictions for a few images, without a runner."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import nn

from mmuda.checkpoints.loading import SEGMENTOR, load_weights, network_of
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.checkpoints.states import meta_of
from mmuda.checkpoints.weights_meta import differing_classes
from mmuda.datasets.building import build_dataset


def load_model(
    cfg: Config, checkpoint: str | Path, classes: Sequence[str] | None = None, child: str = SEGMENTOR
) -> nn.Module:
    """Return the trained model of a config, in eval mode, on the device that mmengine finds.

    As with ``init_model`` of mmseg, its attribute ``dataset_meta`` holds the classes and colours in the checkpoint, or
    None.

    Args:
        cfg: Config, as :func:`mmuda.engine.launch.load_config` returns it.
        checkpoint: Checkpoint of a training with this config, or published weights.
        classes: Class names of the data; they must be those of the checkpoint. None does not compare them.
        child: Network of an adaptor's checkpoint to use, such as ``'teacher'``.

    Raises:
        RuntimeError: If the weights do not fit, or were trained for other classes.
    """
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    model = MODELS.build(copy.deepcopy(cfg.model))  # building removes keys from a config
    content = network_of(read_checkpoint(checkpoint), child, str(checkpoint))
    different = differing_classes(content, classes, str(checkpoint))
    if different:
        raise RuntimeError(different)
    load_weights(model, content, str(checkpoint))
    model.dataset_meta = meta_of(content).get('dataset_meta')
    return revert_sync_batchnorm(model).to(get_device()).eval()


@torch.no_grad()
def predict(model: Any, cfg: Config, indices: Sequence[int]) -> list:
    """Return data samples with ``pred_sem_seg``, ``seg_logits`` (C, H, W) and ground truth for images of the test set.

    Args:
        model: Result of :func:`load_model`.
        cfg: Config of the model; the images are those of ``test_dataloader.dataset``.
        indices: Indices of the images.
    """
    dataset = build_dataset(cfg.test_dataloader.dataset)
    return [model.test_step(pseudo_collate([dataset[index]]))[0] for index in indices]
