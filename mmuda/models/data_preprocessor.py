"""Normalisation and padding of domain pairs."""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmuda.constants import TARGET_LABELLED
from mmuda.internals import copy_without_waiting

DOMAINS = ('source', 'target')
STATISTICS = ('mean', 'std', 'bgr_to_rgb', 'rgb_to_bgr')
"""Settings that ``source`` and ``target`` can override for one domain."""


@MODELS.register_module()
class DomainPairPreprocessor(SegDataPreProcessor):
    """mmseg's :class:`SegDataPreProcessor` for both domains of a batch.

    A training batch is ``{'source': {'inputs', 'data_samples'}, 'target': {'inputs', 'data_samples'}}`` or has only one
    of the two domains. ``'target_labelled'`` can hold a third part: target images with ground truth, which are treated
    like those of the target. ``inputs`` is a list of (C, H, W) tensors. Each domain is normalised and padded
    separately, so the images of the two domains can differ in size.

    A plain mmseg batch (validation, test, inference) is processed as in mmseg, with the statistics of the target. It is
    padded only if ``test_cfg`` says so: CBST's ``test_cfg=dict(size_divisor=8)`` pads right and bottom with zeros.

    Images can have any number of channels C. ``mean`` and ``std`` have C values, or one for all channels.

    If a label map of a training batch has another size than its image, for example because it was sampled at the
    stride of the network, no label map of this batch is padded. mmseg would pad each by as many pixels as its image.

    Args:
        size_divisor: Height and width are padded to a multiple of this. 1 only pads the images of a batch to the size
            of the largest one. Without effect if ``size`` is given.
        mean: Mean of each channel in grey values, in the channel order of the network's input (BGR unless
            ``bgr_to_rgb``). None: images are not normalised.
        std: Standard deviation of each channel, in the same units and order.
        bgr_to_rgb: Reverse the channels of images with three channels.
        rgb_to_bgr: The same operation; set at most one of the two.
        source: Overrides for the source domain: ``dict(mean=..., std=..., bgr_to_rgb=..., rgb_to_bgr=...)``.
        target: Overrides for the target domain. They also hold in validation, test and labelling.
        **kwargs: As :class:`mmseg.models.SegDataPreProcessor`.

    Raises:
        ValueError: If only one of ``mean`` and ``std`` is given, if they differ in length, if both channel reversals
            are set, or if ``source`` or ``target`` has an unknown key.
    """

    def __init__(
        self,
        size_divisor: int = 1,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        bgr_to_rgb: bool = False,
        rgb_to_bgr: bool = False,
        source: dict | None = None,
        target: dict | None = None,
        **kwargs: Any,
    ) -> None:
        # Statistics are not passed on: mmengine's allow one or three channels only, and no difference between domains.
        super().__init__(size_divisor=None if kwargs.get('size') is not None else size_divisor, **kwargs)
        copy_without_waiting(self)
        both = dict(mean=mean, std=std, bgr_to_rgb=bgr_to_rgb, rgb_to_bgr=rgb_to_bgr)
        self._reversed: dict[str, bool] = {}
        self._reverses = self._register('', both)
        for domain, own in zip(DOMAINS, (source, target), strict=True):
            unknown = set(own or {}) - set(STATISTICS)
            if unknown:
                raise ValueError(
                    f'data_preprocessor.{domain} has {sorted(unknown)}, expected only {", ".join(STATISTICS)}'
                )
            if own:
                self._reversed[domain] = self._register(f'{domain}_', {**both, **own})

    def _register(self, prefix: str, values: dict) -> bool:
        """Register mean and deviation as buffers, and return whether channels are reversed."""
        mean, std = values['mean'], values['std']
        if (mean is None) != (std is None) or (mean is not None and len(mean) != len(std)):
            raise ValueError(
                f'data_preprocessor: mean={mean} and std={std} of {prefix.strip("_") or "both domains"} belong '
                'together: give both, with one value for each channel (or one for all channels)'
            )
        if mean is not None:
            self.register_buffer(f'{prefix}mean', torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1), False)
            self.register_buffer(f'{prefix}std', torch.tensor(std, dtype=torch.float32).view(-1, 1, 1), False)
        if values['bgr_to_rgb'] and values['rgb_to_bgr']:
            raise ValueError('data_preprocessor: bgr_to_rgb and rgb_to_bgr both reverse the channels: set one of them')
        return bool(values['bgr_to_rgb'] or values['rgb_to_bgr'])

    @property
    def differs_by_domain(self) -> bool:
        """Whether ``source`` or ``target`` overrides the common statistics."""
        return bool(self._reversed)

    @property
    def reverses_channels(self) -> bool:
        """Whether red and blue are exchanged in target images, and therefore in validation and test images."""
        return self._reversed.get('target', self._reverses)

    def statistics(self, domain: str | None = None) -> tuple[Tensor, Tensor] | None:
        """Return mean and standard deviation, each (C, 1, 1) float32, or None if images are not normalised.

        Args:
            domain: ``'source'`` or ``'target'``; None for the common statistics, without the overrides.
        """
        prefix = f'{domain}_' if domain in self._reversed else ''
        mean = getattr(self, f'{prefix}mean', None)
        return None if mean is None else (mean, getattr(self, f'{prefix}std'))

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Normalise, pad and stack a batch.

        Args:
            data: A batch of domain pairs or a plain mmseg batch, see the class.
            training: Whether images and labels are padded to one size. Otherwise ``test_cfg`` decides.

        Returns:
            The same nesting with inputs as (N, C, H, W) float32.

        Raises:
            ValueError: If the number of channels of an image differs from that of mean and deviation, or if images of
                a batch that is not for training differ in size.
        """
        if any(domain in data for domain in DOMAINS):
            return {
                name: self._process(batch, training, 'target' if name == TARGET_LABELLED else name)
                for name, batch in data.items()
            }
        return self._process(data, training, 'target')

    def _process(self, batch: dict, training: bool, domain: str) -> dict[str, Any]:
        batch = self.cast_data(batch)  # returns new samples, so removing their labels below does not change the input
        batch = {**batch, 'inputs': self._normalised(batch['inputs'], domain)}
        if not training:
            _check_sizes(batch)
        if not training or not any(map(_resampled, batch['inputs'], batch.get('data_samples') or ())):
            return super().forward(batch, training)
        labels = [sample.get('gt_sem_seg') for sample in batch['data_samples']]
        for sample, label in zip(batch['data_samples'], labels, strict=True):
            if label is not None:
                del sample.gt_sem_seg
        batch = super().forward(batch, training)
        for sample, label in zip(batch['data_samples'], labels, strict=True):
            if label is not None:
                sample.gt_sem_seg = label
        return batch

    def _normalised(self, inputs: Sequence[Tensor], domain: str) -> list[Tensor]:
        swap = self._reversed.get(domain, self._reverses)
        found = self.statistics(domain)
        images = []
        for image in inputs:
            channels = image.size(0)
            if swap and channels == 3:
                image = image.flip(0)  # indexing with a list would copy the list to the device
            image = image.float()
            if found is not None:
                if len(found[0]) not in (1, channels):
                    raise ValueError(
                        f'an image of the {domain} has {channels} channels, but mean and std of data_preprocessor have '
                        f'{len(found[0])} values: give as many values as channels, or load fewer channels, as in '
                        "dict(type='LoadDomainImage', bands=(0, 1, 2))"
                    )
                image = (image - found[0]) / found[1]
            images.append(image)
        return images


def _check_sizes(batch: dict) -> None:
    """Check that the images of a batch have one size."""
    inputs, samples = batch['inputs'], batch.get('data_samples') or ()
    sizes = {tuple(image.shape[-2:]): place for place, image in enumerate(inputs)}
    if len(sizes) > 1:
        told = ', '.join(
            f'{height}x{width}' + (f' ({samples[place].metainfo.get("img_path")})' if len(samples) > place else '')
            for (height, width), place in list(sizes.items())[:2]
        )
        raise ValueError(
            f'images of one batch differ in size (H x W): {told}. Set the batch size of this loader to 1, or give its '
            'pipeline a Resize with keep_ratio=False'
        )


def _resampled(image: Tensor, sample: SegDataSample) -> bool:
    """Return whether the size of the label map of a sample differs from that of its image."""
    return 'gt_sem_seg' in sample and sample.gt_sem_seg.data.shape[-2:] != image.shape[-2:]


def pixel_statistics(preprocessor: Any, domain: str | None = None) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation, each (C, 1, 1), with which a preprocessor normalises grey values.

    Args:
        preprocessor: Any data preprocessor of mmengine, mmseg or mmuda.
        domain: ``'source'`` or ``'target'``; None for both, where images of the two domains are mixed.

    Returns:
        Mean and standard deviation; (3, 1, 1) zeros and ones if the preprocessor does not normalise.

    Raises:
        ValueError: If ``domain`` is None and the domains have different statistics.
    """
    if isinstance(preprocessor, DomainPairPreprocessor):
        if domain is None and preprocessor.differs_by_domain:
            raise ValueError(
                'data_preprocessor has different statistics for source and target, but this method mixes images of '
                'both domains or changes their colours: set one mean and one std for both domains'
            )
        found = preprocessor.statistics(domain)
    else:
        found = (preprocessor.mean, preprocessor.std) if hasattr(preprocessor, 'mean') else None
    if found is None:  # it does not normalise
        mean = torch.zeros(3, 1, 1, device=preprocessor.device)
        return mean, torch.ones_like(mean)
    return found
