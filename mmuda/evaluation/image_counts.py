"""Sums of the counts of images, over batches and processes, each image once."""

import logging

import numpy as np
import torch
from mmengine.dist import all_reduce
from mmengine.logging import print_log
from torch import Tensor

from mmuda.ranks import rank_and_world_size


class ImageCounts:
    """The sum of integer arrays of one shape, one for each image of a data set.

    Rank r of W sees the images r, r + W, r + 2 W ... of the sampler's order. One with a number of the size of the data
    set or more is a repetition that fills the last round. It can only be the last of a rank, which is kept apart until
    the size is known.

    Attributes:
        num_images: Number of images that this process has added.
    """

    def __init__(self) -> None:
        self.num_images = 0
        self._sum: Tensor | None = None
        self._last: Tensor | None = None

    def add(self, counts: Tensor) -> None:
        """Add the arrays (B, ...), int64, of a batch."""
        if self._sum is None or self._last is None:
            self._sum = torch.zeros_like(counts[0])
            self._last = torch.zeros_like(counts[0])
        self._sum = self._sum + self._last.to(self._sum.device) + counts[:-1].sum(dim=0).to(self._sum.device)
        self._last = counts[-1]
        self.num_images += len(counts)

    def collect(self, size: int, shape: tuple[int, ...]) -> tuple[np.ndarray, int]:
        """Return the sum, int64, and the number of images, over all ranks. All of them must call it.

        Args:
            size: Number of images of the data set.
            shape: That of one array, for a process that has seen no image.

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
        # One message for all: the counts, the images, and whether any rank has seen too many.
        message = torch.cat([counts.flatten(), counts.new_tensor([num_images, int(surplus)])])
        all_reduce(message, op='sum')
        message = message.cpu()
        num_images, surplus = message[-2:].tolist()
        if surplus:
            raise ValueError(
                f'more images were processed than the {size} of the data set: each rank must see the samples '
                "r, r + world size, ... once (mmengine's DefaultSampler with shuffle=False)"
            )
        if not num_images:
            raise ValueError('no image was evaluated: is the data set of the test loader empty?')
        if num_images < size:
            print_log(
                f'only {num_images} of the {size} images of the data set were evaluated',
                logger='current',
                level=logging.WARNING,
            )
        return message[:-2].view(shape).numpy(), num_images
