"""Batch-norm layers whose statistics a method keeps."""

from torch import nn

from mmuda.internals import BatchNorm


def freeze_batch_norm_statistics(module: nn.Module) -> None:
    """Put every batch-norm layer of a module into eval mode: it normalises with its running statistics and keeps them.

    Scale and shift stay trainable. ``train()`` undoes this, so call it from an overridden ``train()``.
    """
    for layer in module.modules():
        if isinstance(layer, BatchNorm):
            layer.eval()
