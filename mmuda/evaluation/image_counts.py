"""Sums of counts over batches and processes that include each image once."""

import logging

import numpy as np
import torch
from mmengine.dist import all_reduce
from mmengine.logging import print_log
from torch import Tensor

from mmuda.ranks import rank_and_world_size


class ImageCounts:
    """The sum of integer arrays of one shape, one array for each image of a data set.

    Process r of W evaluates the images r, r + W, r + 2 W, ... in the order of the sampler. An index that is not below
    the size of the data set is a repetition, with which the sampler fills its last round. Only the last image of a
    process can be one. Therefore its array is kept separate until :meth:`collect` gets the size.

    Attributes:
        num_images: Number of images that this process has added.
    """

    def __init__(self) -> None:
        self.num_images = 0
        self._sum: Tensor | None = None
        self._last: Tensor | None = None

    def add(self, counts: Tensor) -> None:
        """Add the arrays of a batch of B images, (B, ...) int64."""
        if self._sum is None or self._last is None:
            self._sum = torch.zeros_like(counts[0])
            self._last = torch.zeros_like(counts[0])
        self._sum = self._sum + self._last.to(self._sum.device) + counts[:-1].sum(dim=0).to(self._sum.device)
        self._last = counts[-1]
        self.num_images += len(counts)

    def collect(self, size: int, shape: tuple[int, ...]) -> tuple[np.ndarray, int]:
        """Return the sum, int64, and the number of images of all processes. Every process must call it.

        Args:
            size: Number of images of the data set.
            shape: Shape of one array, for a process without images.

        Raises:
            ValueError: If there was no image, or more than ``size``.
        """
        rank, world_size = rank_and_world_size()
        counts, last, num_images = self._sum, self._last, self.num_images
        if counts is None or last is None:
            counts = torch.zeros(shape, dtype=torch.int64)
        elif (num_images - 1) * world_size + rank < size:
            counts = counts + last.to(counts.device)
        else:
            num_images -= 1
        surplus = num_images > 0 and (num_images - 1) * world_size + rank >= size
        # One all_reduce for the counts, the number of images, and whether any process has too many images.
        message = torch.cat([counts.flatten(), counts.new_tensor([num_images, int(surplus)])])
        all_reduce(message, op='sum')
        message = message.cpu()
        num_images, surplus = message[-2:].tolist()
        if surplus:
            raise ValueError(
                f'more images were processed than the {size} of the data set: process r must get the samples r, r + '
                "number of processes, ... once (use mmengine's DefaultSampler with shuffle=False)"
            )
        if not num_images:
            raise ValueError('no image was evaluated: check that the data set of the loader is not empty')
        if num_images < size:
            print_log(
                f'only {num_images} of the {size} images of the data set were evaluated',
                logger='current',
                level=logging.WARNING,
            )
        return message[:-2].view(shape).numpy(), num_images
