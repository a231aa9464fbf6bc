"""Looks of both towns in each version of MiniCity: the only place where versions differ.

Version 1 is a gap of style first: a flat, clean, rendered source and a textured, foggy, noisy target with a colour cast
and little contrast. Batch-norm statistics of the target alone close most of it.

Version 2 is a gap of classes. Both towns have the same textures and nearly the same weather and camera, and all pixels
together have nearly the same mean and spread of colours, but in the target classes trade looks: roads are paved in the
colours of the source's houses, houses and sidewalks have the grey of its roads, trees are autumnal. Shape, texture and
place say what a thing is in both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .palettes import FOGGY, SUMMER, Colours

DOMAINS = ('source', 'target')
VERSION = 2
"""The version that is meant where none is given."""

STUFF = ('road', 'sidewalk', 'building', 'vegetation', 'terrain', 'sky')


@dataclass(frozen=True)
class Texture:
    """A pattern that sticks to a surface.

    Args:
        kind: ``'bricks'``, ``'grain'`` or ``'patches'``.
        scale: Size of its cells in metres.
        contrast: How far it changes the brightness, as a factor.
    """

    kind: str
    scale: float
    contrast: float


@dataclass(frozen=True)
class Shift:
    """A move of a class towards another look.

    Args:
        towards: Colours of the other look.
        weight: How far: 0 keeps the own look, 1 takes the other. Parts beside the body move half as far.
    """

    towards: Colours
    weight: float


@dataclass(frozen=True)
class Weather:
    """Clouds and fog.

    Args:
        clouds: Strength of the clouds, in grey values.
        reach: Range of the distance in metres after which 1/e of a thing's colour is left.
        clearest: Share of a thing's colour that is left at any distance.
    """

    clouds: float
    reach: tuple[float, float]
    clearest: float


@dataclass(frozen=True)
class Photo:
    """Faults of a cheap camera.

    Args:
        contrast: Factor around middle grey.
        cast: Added to R, G and B, in grey values.
        blur: Range of the blur's sigma, in pixels of an image that is 128 wide.
        vignette: Loss of brightness in the middle of an edge, as a factor.
        noise: Standard deviation in grey values.
    """

    contrast: float
    cast: tuple[float, float, float]
    blur: tuple[float, float]
    vignette: float
    noise: float


@dataclass(frozen=True)
class Town:
    """All that is needed to colour a street.

    Args:
        colours: Colours by class and part.
        jitter: Standard deviation of a thing's tone, in grey values; each channel's own is half of it.
        shifts: Classes that move towards another look.
        textures: Textures by class.
        weather: None is a clear sky and no fog.
        photo: None is a perfect camera.
    """

    colours: Mapping[str, Mapping[str, Colours]]
    jitter: float
    shifts: Mapping[str, Shift] = field(default_factory=dict)
    textures: Mapping[str, Texture] = field(default_factory=dict)
    weather: Weather | None = None
    photo: Photo | None = None


_TEXTURES = dict(
    road=Texture('bricks', 0.5, 0.16),
    sidewalk=Texture('bricks', 1.0, 0.14),
    building=Texture('bricks', 0.7, 0.16),
    wall=Texture('bricks', 0.6, 0.2),
    fence=Texture('grain', 0.2, 0.2),
    vegetation=Texture('patches', 0.35, 0.4),
    terrain=Texture('patches', 0.6, 0.28),
    car=Texture('patches', 0.7, 0.1),
    truck=Texture('patches', 0.9, 0.14),
    bus=Texture('patches', 0.9, 0.1),
    train=Texture('patches', 0.9, 0.1),
    person=Texture('grain', 0.15, 0.2),
    rider=Texture('grain', 0.15, 0.2),
)
"""Textures of version 1's target, and of both towns of version 2."""


def _version_1() -> dict[str, Town]:
    shifts = {name: Shift(towards, 0.35 if name in STUFF else 0.12) for name, towards in FOGGY.items()}
    return dict(
        source=Town(SUMMER, jitter=10.0),
        target=Town(
            SUMMER,
            jitter=12.0,
            shifts=shifts,
            textures=_TEXTURES,
            weather=Weather(clouds=9.0, reach=(140.0, 280.0), clearest=0.65),
            photo=Photo(contrast=0.72, cast=(5.0, 3.0, -8.0), blur=(0.35, 0.6), vignette=0.06, noise=4.0),
        ),
    )


_HOUSES = SUMMER['building']['body']
_PLAIN = {
    **SUMMER,
    'road': {**SUMMER['road'], 'body': [(100, 100, 106)]},
    'sidewalk': {**SUMMER['sidewalk'], 'body': [(168, 172, 180)]},
}
"""Colours of version 2's source town."""

TRADES = dict(
    road=Shift(_HOUSES[:3], 0.85),
    sidewalk=Shift(_PLAIN['road']['body'], 0.85),
    building=Shift(_PLAIN['road']['body'], 0.85),
    vegetation=Shift([_HOUSES[4], SUMMER['building']['roof'][0], (62, 110, 62)], 0.75),
    terrain=Shift([_HOUSES[1]], 0.75),
)
"""Classes of version 2 that look as another class does in the source."""


def _version_2() -> dict[str, Town]:
    shifts = {name: Shift(towards, 0.45) for name, towards in FOGGY.items()}
    shifts.update(sky=Shift(_PLAIN['sidewalk']['body'], 0.4), **TRADES)
    # The trade changes the colours of all pixels together. Contrast and cast of the photos make up for that.
    photo = Photo(contrast=0.93, cast=(0.0, 0.0, 0.0), blur=(0.25, 0.4), vignette=0.03, noise=3.0)
    return dict(
        source=Town(
            _PLAIN,
            jitter=10.0,
            textures=_TEXTURES,
            weather=Weather(clouds=9.0, reach=(500.0, 900.0), clearest=0.85),
            photo=photo,
        ),
        target=Town(
            _PLAIN,
            jitter=12.0,
            shifts=shifts,
            textures=_TEXTURES,
            weather=Weather(clouds=9.0, reach=(400.0, 800.0), clearest=0.85),
            photo=replace(photo, contrast=1.08, cast=(-16.0, 1.0, 3.0)),
        ),
    )


_TOWNS = {1: _version_1(), 2: _version_2()}
VERSIONS = tuple(_TOWNS)


def get_town(version: int, domain: str) -> Town:
    """Return how a town looks.

    Args:
        version: 1 or 2.
        domain: ``'source'`` or ``'target'``.

    Raises:
        ValueError: For another version or domain.
    """
    if version not in _TOWNS:
        raise ValueError(f'unknown version {version!r} of MiniCity: expected one of {VERSIONS}')
    if domain not in DOMAINS:
        raise ValueError(f'unknown domain {domain!r}: expected one of {DOMAINS}')
    return _TOWNS[version][domain]
