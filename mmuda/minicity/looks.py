"""Colours, labels and depth of a painted street. The colours of each town are defined in :mod:`towns`."""

from collections.abc import Mapping

import numpy as np

from .canvas import Canvas, Surface
from .classes import RAW_IDS
from .textures import PATTERNS
from .towns import Texture, Town


def raw_id_image(canvas: Canvas) -> np.ndarray:
    """Return the raw label ids (H, W) uint8 of a painted scene."""
    ids = np.array([RAW_IDS[surface.name] for surface in canvas.surfaces], np.uint8)
    return ids[canvas.layer]


def colour_image(canvas: Canvas, town: Town, rng: np.random.Generator) -> np.ndarray:
    """Return a painted scene in the colours of a town, without weather and camera.

    Args:
        canvas: The scene.
        town: Look of the town.
        rng: Generator for the colours of the objects and for the textures.

    Returns:
        (H, W, 3) float32 RGB in [0, 255].
    """
    chosen: dict[tuple[int, str, str], np.ndarray] = {}
    table = np.empty((len(canvas.surfaces), 3), np.float32)
    for number, surface in enumerate(canvas.surfaces):
        key = (surface.instance, surface.name, surface.part)
        if key not in chosen:
            chosen[key] = _thing_colour(surface, town, rng)
        table[number] = chosen[key] * surface.shade
    image = table[canvas.layer]
    if town.textures:
        image *= _texture(canvas, town.textures, rng)[..., None]
    return np.clip(image, 0.0, 255.0, out=image)


def inverse_depth(canvas: Canvas) -> np.ndarray:
    """Return the inverse depth (H, W) float32 in 1/m of the surface in each pixel, clipped to [0.001, 1]."""
    planes = np.array([surface.plane for surface in canvas.surfaces], np.float32)[canvas.layer]
    rows, columns = np.indices(canvas.layer.shape, dtype=np.float32)
    value = planes[..., 0] + planes[..., 1] * columns + planes[..., 2] * rows
    return np.clip(value, 1e-3, 1.0, out=value)


def _thing_colour(surface: Surface, town: Town, rng: np.random.Generator) -> np.ndarray:
    options = town.colours[surface.name][surface.part]
    colour = np.array(options[rng.integers(len(options))], np.float32)
    shift = town.shifts.get(surface.name)
    if shift is not None:
        other = np.array(shift.towards[rng.integers(len(shift.towards))], np.float32)
        weight = shift.weight if surface.part == 'body' else shift.weight / 2
        colour += weight * (other - colour)
    tone = rng.normal(0.0, town.jitter)
    return colour + tone + rng.normal(0.0, town.jitter / 2, 3)


def _texture(canvas: Canvas, textures: Mapping[str, Texture], rng: np.random.Generator) -> np.ndarray:
    """Return the brightness factor (H, W) float32 of the textures, which stick to the surfaces."""
    depth = 1.0 / inverse_depth(canvas)
    camera = canvas.camera
    rows, columns = np.indices(depth.shape, dtype=np.float32)
    x = (columns - camera.centre[0]) * depth / camera.focal + camera.position[0]
    y = camera.position[1] - (rows - camera.centre[1]) * depth / camera.focal
    kinds = np.array([surface.kind for surface in canvas.surfaces])
    along = np.where((kinds == 'side')[canvas.layer], depth, x)
    across = np.where((kinds == 'ground')[canvas.layer], depth, y)
    seed = int(rng.integers(1 << 30))
    plain = Texture('', 1.0, 0.0)
    by_surface = [textures.get(surface.name, plain) for surface in canvas.surfaces]
    scale = np.array([texture.scale for texture in by_surface], np.float32)[canvas.layer]
    contrast = np.array([texture.contrast for texture in by_surface], np.float32)[canvas.layer]
    factor = np.ones(depth.shape, np.float32)
    for kind, pattern in PATTERNS.items():
        mask = np.array([texture.kind == kind for texture in by_surface])[canvas.layer]
        cells = scale[mask]
        pixels = camera.focal / depth[mask] * cells
        visible = np.clip(pixels / 2.0, 0.25, 1.0)
        factor[mask] += contrast[mask] * visible * pattern(along[mask] / cells, across[mask] / cells, seed)
    return factor
