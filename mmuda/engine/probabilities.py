"""Class probabilities of a trained network for the images of a data set, one batch at a time."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmseg.datasets import BaseSegDataset
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from mmuda.models import PROBABILITIES_AT, BaseAdaptor

AT = tuple(PROBABILITIES_AT)


@torch.no_grad()
def class_probabilities(
    model: nn.Module,
    dataset: BaseSegDataset,
    indices: Sequence[int],
    at: str = 'image',
    flip: bool = False,
    batch_size: int = 1,
    num_workers: int = 0,
) -> Iterator[Tensor]:
    """Probabilities (C, H, W), float32, of one image after the other.

    Args:
        model: In eval mode: an adaptor, or anything with ``test_step``.
        dataset: Images with a test pipeline.
        indices: Which images, in this order.
        at: ``'image'``: at the size of the original image; ``'input'``: at the size that the network saw, which only
            adaptors know; ``'input_soft'``: there, with the softmax taken before upsampling (SIM).
        flip: Average with the probabilities of the mirrored image (unpadded; :class:`BicubicEncoderDecoder` mirrors on
            its own, so it is not needed there).
        batch_size: Images that are read together; an adaptor forwards those of one size at once.
        num_workers: Processes that read images.

    Raises:
        ValueError: For another ``at`` than ``'image'`` and a model that only predicts at image size.
    """
    loader = DataLoader(
        Subset(dataset, list(indices)), batch_size=batch_size, num_workers=num_workers, collate_fn=pseudo_collate
    )
    if not isinstance(model, BaseAdaptor) and at != 'image':
        raise ValueError(f'{type(model).__name__} predicts at image size only: at={at!r} needs an adaptor')
    for batch in loader:
        maps = _predict(model, batch, at)
        if flip:
            mirrored = _predict(model, dict(batch, inputs=[image.flip(-1) for image in batch['inputs']]), at)
            maps = [(straight + other.flip(-1)) / 2 for straight, other in zip(maps, mirrored, strict=True)]
        yield from maps


def _predict(model: Any, batch: dict, at: str) -> list[Tensor]:
    # Preprocessing changes data samples and may be asked twice.
    batch = dict(batch, data_samples=copy.deepcopy(batch['data_samples']))
    if isinstance(model, BaseAdaptor):
        return model.probabilities(batch, at=at)
    return [sample.seg_logits.data.float().softmax(dim=0) for sample in model.test_step(batch)]


def inference_dataset(cfg: Config, pipeline: Sequence[dict] | None = None) -> dict:
    """Config of the target images that a config trains with, read as its test images are, without their labels.

    Args:
        cfg: With ``train_dataloader.dataset.target`` and ``test_dataloader``.
        pipeline: Instead of that of the test images.
    """
    pipeline = cfg.test_dataloader.dataset.pipeline if pipeline is None else pipeline
    steps = [step for step in pipeline if 'Annotations' not in step['type']]
    return dict(cfg.train_dataloader.dataset.target, pipeline=steps, test_mode=True)
