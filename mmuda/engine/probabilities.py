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

from .kept_values import KeptValues

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
    kept: KeptValues | None = None,
) -> Iterator[Tensor]:
    """Yield the probabilities (C, H, W), float32, of one image after the other.

    Args:
        model: Network in eval mode: an adaptor, or any model with ``test_step``.
        dataset: Images with a test pipeline.
        indices: Indices of the images, in the order of the results.
        at: Resolution. ``'image'`` is the size of the original image. ``'input'`` is the size at which the network gets
            the image (adaptors only). ``'input_soft'`` is ``'input'`` with the softmax before the upsampling (SIM).
        flip: Average with the probabilities of the mirrored image, which is mirrored before padding.
            :class:`BicubicEncoderDecoder` mirrors images itself and does not need this.
        batch_size: Images that are read together. An adaptor forwards images of the same size in one batch.
        num_workers: Processes that read images.
        kept: Storage for the network outputs of each image, used if the segmentor of an adaptor can record them.
            Another call with the same model, data set and ``flip`` then neither reads the image nor runs the network.

    Raises:
        ValueError: If ``at`` is not ``'image'``, but the model is no adaptor.
    """
    if not isinstance(model, BaseAdaptor) and at != 'image':
        raise ValueError(f'{type(model).__name__} predicts at image size only: at={at!r} needs an adaptor')
    adaptor: Any = model
    recorded = kept if isinstance(model, BaseAdaptor) and adaptor.can_record else None
    again = set() if recorded is None else {index for index in indices if index in recorded}
    missing = [index for index in indices if index not in again]
    loader = DataLoader(
        Subset(dataset, missing), batch_size=batch_size, num_workers=num_workers, collate_fn=pseudo_collate
    )
    computed = _computed(model, loader, missing, at, flip, recorded)
    for index in indices:
        if recorded is not None and index in again:
            yield _mean([adaptor.replayed_probabilities(way, at) for way in recorded[index]])
        else:
            yield next(computed)


def _computed(
    model: Any, loader: DataLoader, indices: Sequence[int], at: str, flip: bool, recorded: KeptValues | None
) -> Iterator[Tensor]:
    places = iter(indices)
    for batch in loader:
        batches = [batch]
        if flip:
            batches.append(dict(batch, inputs=[image.flip(-1) for image in batch['inputs']]))
        if recorded is None:
            yield from map(_mean, zip(*(_predict(model, way, at) for way in batches), strict=True))
            continue
        ways = [model.recorded_probabilities(_copy(way), at) for way in batches]
        for found in zip(*ways, strict=True):
            recorded[next(places)] = [recording for _, recording in found]
            yield _mean([prob for prob, _ in found])


def _mean(ways: Sequence[Tensor]) -> Tensor:
    """Return the probabilities of an image, or their mean with those of the mirrored image."""
    return ways[0] if len(ways) == 1 else (ways[0] + ways[1].flip(-1)) / 2


def _predict(model: Any, batch: dict, at: str) -> list[Tensor]:
    batch = _copy(batch)
    if isinstance(model, BaseAdaptor):
        return model.probabilities(batch, at=at)
    return [sample.seg_logits.data.float().softmax(dim=0) for sample in model.test_step(batch)]


def _copy(batch: dict) -> dict:
    """Return a copy of a batch: the preprocessor changes data samples, and a batch can be used twice."""
    return dict(batch, data_samples=copy.deepcopy(batch['data_samples']))


def inference_dataset(cfg: Config, pipeline: Sequence[dict] | None = None) -> dict:
    """Return the config of the target images of a training, with its test pipeline and without labels.

    Args:
        cfg: Config with ``train_dataloader.dataset.target`` and ``test_dataloader``.
        pipeline: Pipeline to use instead of the test pipeline.
    """
    pipeline = cfg.test_dataloader.dataset.pipeline if pipeline is None else pipeline
    steps = [step for step in pipeline if 'Annotations' not in step['type']]
    return dict(cfg.train_dataloader.dataset.target, pipeline=steps, test_mode=True)
