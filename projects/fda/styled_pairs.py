"""Pairs of a source and a target image, in which the source image has the style of a target image."""

from typing import Any

from mmseg.registry import DATASETS
from torch import Tensor

from mmuda.datasets import DomainPairDataset
from mmuda.datasets.building import build_dataset
from mmuda.datasets.pairs.domain_pair import seeded
from mmuda.datasets.pairs.streams import Permutations

from .spectrum import swap_spectrum, window_bounds

STYLE_STREAM = 0xFDA
"""Key of the random stream that orders style images."""


@DATASETS.register_module()
class StyledPairDataset(DomainPairDataset):
    """Pairs whose source images have the low frequencies of target images, see :func:`swap_spectrum`.

    It is a :class:`DomainPairDataset`. Styling happens after both pipelines, on grey values, in the workers that read
    images. A styled image is float32. The pipelines must give both images one size. The n-th pair depends on (seed, n)
    alone, as in the base class.

    Args:
        *args: As :class:`DomainPairDataset`.
        beta: See :func:`swap_spectrum`.
        window: See :func:`window_bounds`.
        style: Data set (or its config) of unlabelled target images whose style is used, in a separate random order.
            None uses the target image of the pair. In the rounds of FDA with pseudo labels, the pairs have
            pseudo-labelled images, and the styles come from other images.
        **kwargs: As :class:`DomainPairDataset`.

    Raises:
        ValueError: If the window is unknown or beta is out of range; when a pair is read, if the images differ in size.
    """

    def __init__(
        self, *args: Any, beta: float = 0.01, window: str = 'released', style: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        window_bounds((1, 1), beta, window)  # raises
        self.beta, self.window = beta, window
        self.style: Any = None if style is None else build_dataset(style)
        self._order: Permutations | None = None

    def __getitem__(self, index: tuple[Any, ...]) -> dict[str, dict]:
        pair = super().__getitem__(index)
        style = pair['target']['inputs'] if self.style is None else self.read_style(index[0])
        source = pair['source']
        if source['inputs'].shape != style.shape:
            raise ValueError(
                f'{source["data_samples"].metainfo.get("img_path")} has shape {tuple(source["inputs"].shape)} and its '
                f'style image {tuple(style.shape)} (3, H, W): resize and crop the images of both domains to one size'
            )
        source['inputs'] = swap_spectrum(source['inputs'].float(), style.float(), self.beta, self.window)
        return pair

    def read_style(self, n: int) -> Tensor:
        """Return the style image of the n-th pair, (3, H, W) uint8."""
        if self._order is None or self._order.seed != self.seed:
            self._order = Permutations(len(self.style), self.seed, STYLE_STREAM, shuffle=True)
        with seeded(self.seed, n, STYLE_STREAM):
            return self.style[self._order[n]]['inputs']
