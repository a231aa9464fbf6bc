"""Looks of both towns in each version of MiniCity. Versions differ in nothing else.

In version 1, the domain gap is mainly one of style: the source is flat, clean and rendered, the target is textured,
foggy and noisy, with a colour cast and little contrast. Batch-norm statistics of the target alone close most of the
gap.

In version 2, the gap is one of classes. Both towns have the same textures and nearly the same weather and camera. Mean
and spread of the colours over all pixels are nearly equal. But in the target, classes have the colours of other source
classes: roads have the colours of the source's houses, houses and sidewalks have the grey of its roads, trees are
autumnal. Shape, texture and position identify the classes in both towns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .palettes import FOGGY, SUMMER, Colours

DOMAINS = ('source', 'target')
VERSION = 2
"""The version that is used if none is given."""

STUFF = ('road', 'sidewalk', 'building', 'vegetation', 'terrain', 'sky')


@dataclass(frozen=True)
class Texture:
    """A pattern that is fixed to a surface.

    Args:
        kind: ``'bricks'``, ``'grain'`` or ``'patches'``.
        scale: Size of its cells in metres.
        contrast: Relative change of the brightness where the pattern has the value 1.
    """

    kind: str
    scale: float
    contrast: float


@dataclass(frozen=True)
class Shift:
    """A shift of the colours of a class towards other colours.

    Args:
        towards: The other colours.
        weight: 0 keeps the own colour of an object, 1 takes the other one. Parts other than the body are shifted half
            as far.
    """

    towards: Colours
    weight: float


@dataclass(frozen=True)
class Weather:
    """Clouds and fog.

    Args:
        clouds: Strength of the clouds, in grey values.
        reach: Range of the distance in metres at which 1/e of an object's colour is left. One is drawn for each image.
        clearest: Smallest share of an object's colour that is left, at any distance.
    """

    clouds: float
    reach: tuple[float, float]
    clearest: float


@dataclass(frozen=True)
class Photo:
    """Faults of a cheap camera.

    Args:
        contrast: Factor by which the distance to middle grey is multiplied.
        cast: Grey values that are added to R, G and B.
        blur: Range of the standard deviation of the blur, in pixels of an image that is 128 pixels wide.
        vignette: Share of the brightness that is lost in the middle of each edge of the image.
        noise: Standard deviation of the noise, in grey values.
    """

    contrast: float
    cast: tuple[float, float, float]
    blur: tuple[float, float]
    vignette: float
    noise: float


@dataclass(frozen=True)
class Town:
    """The look of a town: all settings that colour its streets.

    Args:
        colours: Colours by class and part.
        jitter: Standard deviation of the brightness of an object, in grey values. Half of it is added to each channel
            independently.
        shifts: Shifts of colours, by class.
        textures: Textures, by class.
        weather: Clouds and fog; None for neither.
        photo: Faults of the camera; None for a perfect camera.
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
"""Shifts of the classes of version 2's target towards the colours that another class has in the source."""


def _version_2() -> dict[str, Town]:
    shifts = {name: Shift(towards, 0.45) for name, towards in FOGGY.items()}
    shifts.update(sky=Shift(_PLAIN['sidewalk']['body'], 0.4), **TRADES)
    # These shifts change mean and spread of the colours over all pixels. Contrast and cast of the photo undo that.
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
    """Return the look of a town.

    Args:
        version: 1 or 2.
        domain: ``'source'`` or ``'target'``.

    Raises:
        ValueError: If the version or the domain is unknown.
    """
    if version not in _TOWNS:
        raise ValueError(f'unknown version {version!r} of MiniCity: expected one of {VERSIONS}')
    if domain not in DOMAINS:
        raise ValueError(f'unknown domain {domain!r}: expected one of {DOMAINS}')
    return _TOWNS[version][domain]
