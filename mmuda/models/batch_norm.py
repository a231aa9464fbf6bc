"""Batch-norm layers with frozen running statistics."""

from torch import nn

from mmuda.internals import BatchNorm


def freeze_batch_norm_statistics(module: nn.Module) -> None:
    """Put every batch-norm layer of a module into eval mode.

    The layers then normalise with their running statistics and do not update them. Scale and shift stay trainable.
    ``train()`` undoes this, so call this function from an overridden ``train()``.
    """
    for layer in module.modules():
        if isinstance(layer, BatchNorm):
            layer.eval()
