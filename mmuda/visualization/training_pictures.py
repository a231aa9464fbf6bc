"""Pictures of a training iteration, from the maps that an adaptor records."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmuda.models import SegOutputs
from mmuda.models.losses.entropy import self_information

from .pictures import PAPER, Palette, colorize, heat, panel

IMAGE = ' image'
UNKNOWN = (128, 128, 128)
"""RGB colour of a map that has no finite number."""


def training_pictures(
    shown: Mapping[str, Any], images: int, mean: Tensor, std: Tensor, bgr: bool, palette: Palette
) -> list[dict[str, np.ndarray]]:
    """Return pictures of the recorded maps for the first images of a batch, with one transfer from the device.

    A map of numbers outside [0, 1] is scaled to [0, 1], and its caption gives the original range. NaN
    and negative infinity get the colour of the lowest number, positive infinity that of the highest one. A map without
    a finite number is grey.

    Args:
        shown: Recorded maps by name, see :class:`mmuda.models.adaptors.showing.Showing`.
        images: Number of images.
        mean: Mean of the normalisation of images, (3, 1, 1).
        std: Standard deviation of the normalisation, (3, 1, 1).
        bgr: Whether the images are in BGR order.
        palette: RGB colour of each class.

    Returns:
        For each image a dict of pictures, (H, W, 3) uint8 RGB, by caption.
    """
    ready: dict[str, Tensor] = {}
    for name, value in shown.items():
        if isinstance(value, SegOutputs):
            logits = value.upsample('main')[:images]
            ready[name] = logits.argmax(dim=1).to(torch.uint8)
            ready[f'{name.removesuffix(" prediction")} entropy'] = self_information(logits).sum(dim=1).clamp(0, 1)
        elif name.endswith(IMAGE):
            pixels = _in_three_channels(value[:images] * std + mean).round().clamp(0, 255).to(torch.uint8)
            ready[name] = (pixels.flip(1) if bgr else pixels).permute(0, 2, 3, 1)
        elif value.is_floating_point():
            ready[name] = value[:images].float().reshape(len(value[:images]), *value.shape[-2:])
        else:
            ready[name] = value[:images].to(torch.uint8)
    maps = _to_host(ready)
    count = max((len(values) for values in maps.values()), default=0)
    return [
        dict(_painted(name, values[place], palette) for name, values in maps.items() if place < len(values))
        for place in range(count)
    ]


def arrange(pictures: Mapping[str, np.ndarray], height: int) -> np.ndarray:
    """Return one picture of several pictures; the first word of a caption (source, target, mix) selects the row.

    Args:
        pictures: (H, W, 3) uint8 RGB by caption.
        height: Height of each picture in pixels.

    Returns:
        (H', W', 3) uint8, RGB.
    """
    rows: dict[str, list[str]] = {}
    for name in pictures:
        rows.setdefault(name.split()[0], []).append(name)
    columns = max(map(len, rows.values()))
    blank = np.full((1, 1, 3), PAPER, dtype=np.uint8)
    filled: dict[str, np.ndarray] = {}
    for names in rows.values():
        filled |= {name: pictures[name] for name in names}
        filled |= {' ' * (len(filled) + place): blank for place in range(columns - len(names))}
    return panel(filled, columns, height)


def _to_host(values: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Return uint8 and float32 tensors as arrays on the CPU, with one transfer."""
    if not values:
        return {}
    # Float32 first, because each float32 tensor must start at a multiple of four bytes.
    names = sorted(values, key=lambda name: values[name].dtype == torch.uint8)
    parts = {name: values[name].contiguous() for name in names}
    whole = torch.cat([part.view(torch.uint8).flatten() for part in parts.values()]).cpu()
    split = whole.split([part.numel() * part.element_size() for part in parts.values()])
    found = {
        name: piece.view(part.dtype).view(part.shape).numpy()
        for (name, part), piece in zip(parts.items(), split, strict=True)
    }
    return {name: found[name] for name in values}


def _painted(name: str, values: np.ndarray, palette: Palette) -> tuple[str, np.ndarray]:
    """Return caption and picture of one map."""
    if values.ndim == 3:
        return name, values
    if values.dtype == np.uint8:
        return name, colorize(values, palette)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return f'{name} not finite', np.full((*values.shape, 3), UNKNOWN, dtype=np.uint8)
    low, high = float(finite.min()), float(finite.max())
    known = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    if low >= 0 and high <= 1:
        return name, heat(known)
    scaled = np.clip((known - low) / max(high - low, 1e-12), 0, 1)
    return f'{name} {low:.2g} to {high:.2g}', heat(scaled)


def _in_three_channels(pixels: Tensor) -> Tensor:
    """Return images (N, C, H, W) as (N, 3, H, W): the first three channels, or the first one three times.

    If values are far beyond 8 bits (above 510), all values are scaled so that the largest is 255.
    """
    pixels = pixels[:, :3] if pixels.shape[1] >= 3 else pixels[:, :1].expand(-1, 3, -1, -1)
    highest = pixels.max()
    return torch.where(highest > 2 * 255, pixels * (255 / highest), pixels)
