"""Domain pairs whose source image has the style of a target image."""

from typing import Any

from mmseg.registry import DATASETS
from torch import Tensor

from mmuda.datasets import DomainPairDataset
from mmuda.datasets.building import build_dataset
from mmuda.datasets.pairs.domain_pair import seeded
from mmuda.datasets.pairs.streams import Permutations

from .spectrum import swap_spectrum, window_bounds

STYLE_STREAM = 0xFDA
"""Key of the stream of style images."""


@DATASETS.register_module()
class StyledPairDataset(DomainPairDataset):
    """A :class:`DomainPairDataset` whose source images get low frequencies of target images, see :func:`swap_spectrum`.

    It happens behind both pipelines, on grey values, in the workers that read images; a styled image is float32. The
    pipelines must give both images one size. The n-th pair is a pure function of (seed, n), as all pairs are.

    Args:
        *args: As :class:`DomainPairDataset`.
        beta: See :func:`swap_spectrum`.
        window: See :func:`window_bounds`.
        style: Data set (or its config) of the target images whose style is taken, without labels; they come in an order
            of their own. None takes the target image of the pair. The second round of FDA trains with pseudo-labelled
            images, and takes the styles of others.
        **kwargs: As :class:`DomainPairDataset`.

    Raises:
        ValueError: For a bad window or beta. When a pair is read: if the images differ in size.
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
                f'{source["data_samples"].metainfo.get("img_path")} is {tuple(source["inputs"].shape)} and its style '
                f'image {tuple(style.shape)} (3, H, W): resize and crop the images of both domains to one size'
            )
        source['inputs'] = swap_spectrum(source['inputs'].float(), style.float(), self.beta, self.window)
        return pair

    def read_style(self, n: int) -> Tensor:
        """Return the style image of the n-th pair, (3, H, W) uint8."""
        if self._order is None or self._order.seed != self.seed:
            self._order = Permutations(len(self.style), self.seed, STYLE_STREAM, shuffle=True)
        with seeded(self.seed, n, STYLE_STREAM):
            return self.style[self._order[n]]['inputs']
