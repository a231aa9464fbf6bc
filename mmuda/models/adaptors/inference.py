"""Models that predict with their child ``segmentor``, for mmseg's test loop, inferencer and visualizers."""

from typing import Any, cast

import torch
from mmengine.model import BaseModel
from mmseg.registry import MODELS
from mmseg.utils import SampleList
from torch import Tensor

from mmuda.ranks import unwrap

from ..image_sizes import in_equal_sizes
from ..segmentors import PROBABILITIES_AT, AdaptiveEncoderDecoder, Recording, can_record, record, replay


class SegmentorModel(BaseModel):
    """A model whose predictions are those of its child ``segmentor``.

    Args:
        segmentor: Config of an :class:`AdaptiveEncoderDecoder`.
        data_preprocessor: Config of the preprocessor.
        init_cfg: As in mmengine.
    """

    def __init__(self, segmentor: dict, data_preprocessor: dict | None = None, init_cfg: dict | None = None) -> None:
        if isinstance(data_preprocessor, dict):
            data_preprocessor = MODELS.build(data_preprocessor)  # mmengine would not search mmseg's registry
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.segmentor = MODELS.build(segmentor)

    @torch.no_grad()
    def probabilities(self, data: dict, at: str = 'image') -> list[Tensor]:
        """Return the class probabilities (C, H, W) float32 of each image of a plain mmseg batch.

        Args:
            data: A collated batch that is not preprocessed.
            at: Resolution of the result. ``'image'``: the size of the original image. ``'input'``: the size of the
                network's input. ``'input_soft'``: the same, with the softmax before the upsampling.

        Raises:
            ValueError: If ``at`` is unknown, or the segmentor does not support it.
        """
        if at not in PROBABILITIES_AT:
            raise ValueError(f'at={at!r}, expected one of {list(PROBABILITIES_AT)}')
        return in_equal_sizes(lambda part: self._probabilities(part, at), data)

    def _probabilities(self, data: dict, at: str) -> list[Tensor]:
        data = self.data_preprocessor(data, training=False)
        return self._bare_segmentor.probabilities(data['inputs'], data['data_samples'], **PROBABILITIES_AT[at])

    @property
    def can_record(self) -> bool:
        """Whether :meth:`recorded_probabilities` supports the segmentor."""
        return can_record(self._bare_segmentor)

    @torch.no_grad()
    def recorded_probabilities(self, data: dict, at: str = 'image') -> list[tuple[Tensor, Recording]]:
        """Return the result of :meth:`probabilities`, and for each image a recording.

        From a recording, :meth:`replayed_probabilities` computes the probabilities again without the network.
        """

        def recorded(part: dict) -> list[tuple[Tensor, Recording]]:
            part = self.data_preprocessor(part, training=False)
            return record(self._bare_segmentor, part['inputs'], part['data_samples'], **PROBABILITIES_AT[at])

        return in_equal_sizes(recorded, data)

    @torch.no_grad()
    def replayed_probabilities(self, recording: Recording, at: str = 'image') -> Tensor:
        """Return the probabilities (C, H, W) float32 of a recorded image; ``at`` can differ from the recording's."""
        return replay(self._bare_segmentor, recording, **PROBABILITIES_AT[at])

    def val_step(self, data: dict) -> list:
        """Return predictions as in mmengine; images of a batch can differ in size."""
        return in_equal_sizes(super().val_step, data)

    def test_step(self, data: dict) -> list:
        """Return predictions as in mmengine; images of a batch can differ in size."""
        return in_equal_sizes(super().test_step, data)

    def forward(
        self, inputs: Tensor, data_samples: SampleList | None = None, mode: str = 'tensor'
    ) -> Tensor | list | dict:
        """Return the result of the segmentor, as mmseg's loops, inferencers and visualizers expect.

        Args:
            inputs: Normalised images, (N, 3, H, W).
            data_samples: As in mmseg.
            mode: A mode of the segmentor except ``'loss'``.

        Raises:
            RuntimeError: If the mode is ``'loss'``: an adaptor is trained by :meth:`train_step`.
        """
        if mode == 'loss':
            raise RuntimeError(
                f"{type(self).__name__} has no mode='loss': its losses are back-propagated part by part in train_step"
            )
        return self.segmentor(inputs, data_samples, mode=mode)

    # Attributes of the segmentor that mmseg's inferencer, visualizer and TTA model read here.

    @property
    def align_corners(self) -> bool:
        """Corner convention of the bilinear upsampling."""
        return self._bare_segmentor.align_corners

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return self._bare_segmentor.num_classes

    @property
    def out_channels(self) -> int:
        """Number of channels of the logits."""
        return self._bare_segmentor.out_channels

    @property
    def decode_head(self) -> Any:
        """The decode head. Read its attributes only; training calls the segmentor, never the head."""
        return self._bare_segmentor.decode_head

    @property
    def _bare_segmentor(self) -> AdaptiveEncoderDecoder:
        return cast(AdaptiveEncoderDecoder, unwrap(self.segmentor))

    def _dump_init_info(self) -> None:
        """Do nothing. mmengine would log a line for every parameter."""
