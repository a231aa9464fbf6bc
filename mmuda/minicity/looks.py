"""How each class looks in the source town and in the target town: the class-wise half of the gap.

The source is flat and clean. In the target every class moves towards another look that resembles
what other classes look like in the source (autumn trees the colour of source houses, cobbled roads
that of source sidewalks, an overcast sky ...) and gets a texture that sticks to its surface.
"""

import numpy as np

from .canvas import Canvas, Surface
from .classes import RAW_IDS
from .textures import bricks, grain, patches

_STUFF = ('road', 'sidewalk', 'building', 'vegetation', 'terrain', 'sky')
STUFF_GAP = 0.35
"""How far stuff moves from its source look (0) to its other look (1) in the target."""

THING_GAP = 0.12
"""The same for all other classes, which are small and hard enough as it is."""

_JITTER = {'source': 10.0, 'target': 12.0}

_SOURCE: dict[str, dict[str, list[tuple[int, int, int]]]] = {
    'sky': {'body': [(118, 178, 240), (130, 190, 245)]},
    'road': {'body': [(88, 88, 94)], 'mark': [(235, 235, 230)], 'shadow': [(52, 52, 58)]},
    'sidewalk': {'body': [(186, 168, 168)], 'kerb': [(212, 206, 202)]},
    'building': {
        'body': [(200, 96, 74), (226, 192, 132), (182, 132, 158), (236, 224, 200), (206, 150, 96)],
        'window': [(66, 84, 116)],
        'roof': [(142, 62, 52), (112, 80, 70)],
        'door': [(92, 62, 42)],
    },
    'wall': {'body': [(150, 140, 172)], 'cap': [(176, 168, 192)]},
    'fence': {'body': [(172, 122, 70)], 'gap': [(122, 82, 46)]},
    'pole': {'body': [(120, 128, 134)]},
    'traffic light': {
        'body': [(36, 36, 40)],
        'dark': [(62, 60, 56)],
        'red': [(240, 40, 30)],
        'amber': [(250, 180, 20)],
        'green': [(30, 220, 110)],
    },
    'traffic sign': {'body': [(212, 30, 40), (30, 84, 204), (244, 204, 30)], 'inner': [(246, 246, 246)]},
    'vegetation': {'body': [(62, 140, 52), (84, 158, 60), (50, 120, 60)], 'trunk': [(98, 70, 44)]},
    'terrain': {'body': [(150, 200, 92)]},
    'person': {
        'body': [(220, 60, 90), (60, 90, 200), (240, 220, 90), (120, 60, 150)],
        'legs': [(40, 50, 90), (50, 45, 45)],
        'head': [(236, 190, 156), (150, 104, 76)],
    },
    'rider': {
        'body': [(250, 130, 30), (190, 240, 60)],
        'legs': [(30, 30, 40)],
        'head': [(240, 240, 60), (245, 245, 245)],
    },
    'car': {
        'body': [(204, 30, 34), (30, 62, 184), (232, 232, 236), (44, 44, 50), (158, 164, 172)],
        'glass': [(44, 58, 76)],
        'wheel': [(24, 24, 26)],
        'lamp': [(250, 240, 190)],
    },
    'truck': {
        'body': [(240, 240, 236), (70, 118, 196)],
        'cab': [(206, 66, 40), (60, 60, 150)],
        'glass': [(44, 58, 76)],
        'wheel': [(24, 24, 26)],
        'lamp': [(250, 240, 190)],
    },
    'bus': {
        'body': [(246, 192, 24)],
        'stripe': [(200, 40, 40)],
        'glass': [(44, 58, 76)],
        'wheel': [(24, 24, 26)],
        'lamp': [(250, 240, 190)],
    },
    'train': {
        'body': [(44, 160, 130)],
        'stripe': [(240, 236, 210)],
        'glass': [(44, 58, 76)],
        'lamp': [(250, 240, 190)],
        'board': [(250, 190, 40)],
    },
    'motorcycle': {'body': [(150, 20, 70), (40, 40, 44)], 'wheel': [(24, 24, 26)], 'seat': [(34, 30, 30)]},
    'bicycle': {'body': [(20, 150, 176)], 'wheel': [(30, 30, 34)], 'spokes': [(90, 160, 176)]},
    'static': {'body': [(60, 110, 90)]},
    'ego vehicle': {'body': [(30, 30, 34)]},
}

_OTHER: dict[str, list[tuple[int, int, int]]] = {
    'sky': [(190, 180, 176), (206, 200, 190)],
    'road': [(160, 144, 134)],
    'sidewalk': [(108, 116, 104)],
    'building': [(110, 130, 152), (104, 104, 108), (156, 170, 186), (128, 124, 96)],
    'wall': [(196, 104, 80)],
    'fence': [(88, 136, 96)],
    'pole': [(150, 104, 70)],
    'traffic light': [(170, 150, 60)],
    'traffic sign': [(150, 150, 156)],
    'vegetation': [(196, 120, 62), (204, 156, 70), (150, 92, 60)],
    'terrain': [(170, 148, 122)],
    'person': [(70, 74, 70), (120, 104, 90), (60, 90, 70)],
    'rider': [(60, 80, 160), (200, 60, 90)],
    'car': [(96, 110, 80), (150, 130, 110), (120, 130, 150), (200, 190, 170)],
    'truck': [(120, 130, 70), (160, 110, 70)],
    'bus': [(186, 50, 50)],
    'train': [(214, 184, 90)],
    'motorcycle': [(90, 130, 150)],
    'bicycle': [(170, 70, 40)],
    'static': [(90, 90, 90)],
    'ego vehicle': [(60, 40, 40)],
}

_TEXTURES: dict[str, tuple[str, float, float]] = {
    'road': ('bricks', 0.5, 0.16),
    'sidewalk': ('bricks', 1.0, 0.14),
    'building': ('bricks', 0.7, 0.16),
    'wall': ('bricks', 0.6, 0.2),
    'fence': ('grain', 0.2, 0.2),
    'vegetation': ('patches', 0.35, 0.4),
    'terrain': ('patches', 0.6, 0.28),
    'car': ('patches', 0.7, 0.1),
    'truck': ('patches', 0.9, 0.14),
    'bus': ('patches', 0.9, 0.1),
    'train': ('patches', 0.9, 0.1),
    'person': ('grain', 0.15, 0.2),
    'rider': ('grain', 0.15, 0.2),
}
"""Texture, its scale in metres and its contrast, by class."""


def raw_id_image(canvas: Canvas) -> np.ndarray:
    """Return the raw label ids (H, W) uint8 of a painted scene."""
    ids = np.array([RAW_IDS[surface.name] for surface in canvas.surfaces], np.uint8)
    return ids[canvas.layer]


def colour_image(canvas: Canvas, domain: str, rng: np.random.Generator) -> np.ndarray:
    """Colour a painted scene as one of the two towns does, before any camera effect.

    Args:
        canvas (Canvas): The scene.
        domain (str): ``'source'`` or ``'target'``.
        rng (np.random.Generator): Decides the colours of single things.

    Returns:
        np.ndarray: (H, W, 3) float32 RGB in [0, 255].
    """
    chosen: dict[tuple[int, str, str], np.ndarray] = {}
    table = np.empty((len(canvas.surfaces), 3), np.float32)
    for number, surface in enumerate(canvas.surfaces):
        key = (surface.instance, surface.name, surface.part)
        if key not in chosen:
            chosen[key] = _thing_colour(surface, domain, rng)
        table[number] = chosen[key] * surface.shade
    image = table[canvas.layer]
    if domain == 'target':
        image *= _texture(canvas, rng)[..., None]
    return np.clip(image, 0.0, 255.0, out=image)


def inverse_depth(canvas: Canvas) -> np.ndarray:
    """Return the inverse depth (H, W) float32 in 1/m of what is seen in every pixel."""
    planes = np.array([surface.plane for surface in canvas.surfaces], np.float32)[canvas.layer]
    rows, columns = np.indices(canvas.layer.shape, dtype=np.float32)
    value = planes[..., 0] + planes[..., 1] * columns + planes[..., 2] * rows
    return np.clip(value, 1e-3, 1.0, out=value)


def _thing_colour(surface: Surface, domain: str, rng: np.random.Generator) -> np.ndarray:
    options = _SOURCE[surface.name][surface.part]
    colour = np.array(options[rng.integers(len(options))], np.float32)
    if domain == 'target':
        others = _OTHER[surface.name]
        other = np.array(others[rng.integers(len(others))], np.float32)
        weight = STUFF_GAP if surface.name in _STUFF else THING_GAP
        if surface.part != 'body':
            weight /= 2
        colour += weight * (other - colour)
    tone = rng.normal(0.0, _JITTER[domain])
    return colour + tone + rng.normal(0.0, _JITTER[domain] / 2, 3)


def _texture(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Brightness factor (H, W) float32 of the textures, in coordinates of the surfaces."""
    depth = 1.0 / inverse_depth(canvas)
    camera = canvas.camera
    rows, columns = np.indices(depth.shape, dtype=np.float32)
    x = (columns - camera.centre[0]) * depth / camera.focal + camera.position[0]
    y = camera.position[1] - (rows - camera.centre[1]) * depth / camera.focal
    kinds = np.array([surface.kind for surface in canvas.surfaces])
    along = np.where((kinds == 'side')[canvas.layer], depth, x)
    across = np.where((kinds == 'ground')[canvas.layer], depth, y)
    names = [surface.name for surface in canvas.surfaces]
    factor = np.ones(depth.shape, np.float32)
    seed = int(rng.integers(1 << 30))
    painters = dict(bricks=bricks, grain=grain, patches=patches)
    present = {names[number] for number in np.unique(canvas.layer)}
    for name in sorted(present & _TEXTURES.keys()):
        kind, scale, contrast = _TEXTURES[name]
        mask = np.array([other == name for other in names])[canvas.layer]
        pixels = camera.focal / depth[mask] * scale
        pattern = painters[kind](along[mask] / scale, across[mask] / scale, seed)
        visible = np.clip(pixels / 2.0, 0.25, 1.0)
        factor[mask] = 1.0 + contrast * visible * pattern
    return factor
