"""A pinhole camera and a canvas of flat surfaces: the geometry of a street.

A scene is painted from far to near. The canvas holds no colours. For each pixel it holds the number of the surface that
is visible there. Every surface is a plane, so its inverse depth is an affine function of the pixel coordinates. Depth
and position on the surface are computed from it for every pixel afterwards.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

_SUBPIXEL_BITS = 4
_COORDINATE_LIMIT = 30000.0
_SKY_INVERSE_DEPTH = 1e-3


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks along +z (metres; x to the right, y up).

    Args:
        width: Image width in pixels.
        height: Image height in pixels.
        focal: Focal length in pixels.
        centre: Principal point (u, v) in pixels; v is the row of the horizon.
        position: (x, y) of the camera in metres; z is 0.
    """

    width: int
    height: int
    focal: float
    centre: tuple[float, float]
    position: tuple[float, float]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points to the image.

        Args:
            points: (N, 3) float, (x, y, z) in metres, z > 0.

        Returns:
            (N, 2) float pixel coordinates (u, v).
        """
        scale = self.focal / points[:, 2]
        u = self.centre[0] + (points[:, 0] - self.position[0]) * scale
        v = self.centre[1] - (points[:, 1] - self.position[1]) * scale
        return np.stack([u, v], axis=1)


@dataclass(frozen=True)
class Surface:
    """A plane that is part of one object.

    Args:
        name: Class name, a key of ``RAW_IDS``.
        part: Part of the object, such as ``'window'``. Its colours depend on it.
        kind: ``'front'`` (z constant), ``'side'`` (x constant) or ``'ground'`` (y constant).
        plane: (a, b, c) with inverse depth = a + b u + c v, in 1/m, for the pixel (u, v).
        instance: Number of the object in its scene.
        shade: Brightness factor of this face.
    """

    name: str
    part: str
    kind: str
    plane: tuple[float, float, float]
    instance: int
    shade: float


@dataclass
class Canvas:
    """An image of surface numbers, (H, W) int32, and the list of the surfaces.

    Args:
        camera: Camera with which everything is projected.
    """

    camera: Camera
    layer: np.ndarray = field(init=False)
    surfaces: list[Surface] = field(init=False, default_factory=list)
    _instances: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.layer = np.zeros((self.camera.height, self.camera.width), np.int32)
        self.surfaces.append(Surface('sky', 'body', 'front', (_SKY_INVERSE_DEPTH, 0.0, 0.0), self.new_instance(), 1.0))

    def new_instance(self) -> int:
        """Return the number of a new object."""
        self._instances += 1
        return self._instances

    def _add(
        self, name: str, part: str, kind: str, plane: tuple[float, float, float], instance: int, shade: float
    ) -> int:
        self.surfaces.append(Surface(name, part, kind, plane, instance, shade))
        return len(self.surfaces) - 1

    def front(self, name: str, part: str, z: float, instance: int, shade: float = 1.0) -> int:
        """Add a surface that faces the camera at depth ``z`` and return its number."""
        return self._add(name, part, 'front', (1.0 / z, 0.0, 0.0), instance, shade)

    def side(self, name: str, part: str, x: float, instance: int, shade: float = 1.0) -> int:
        """Add a surface along the street at ``x`` and return its number."""
        scale = 1.0 / (self.camera.focal * (x - self.camera.position[0]))
        return self._add(name, part, 'side', (-self.camera.centre[0] * scale, scale, 0.0), instance, shade)

    def ground(self, name: str, part: str, y: float, instance: int, shade: float = 1.0) -> int:
        """Add a horizontal surface at height ``y`` and return its number."""
        scale = 1.0 / (self.camera.focal * (self.camera.position[1] - y))
        return self._add(name, part, 'ground', (-self.camera.centre[1] * scale, 0.0, scale), instance, shade)

    def polygon(self, surface: int, points: list[tuple[float, float, float]] | np.ndarray) -> None:
        """Paint a convex polygon.

        Args:
            surface: Number of the surface to which it belongs.
            points: (N, 3) corners (x, y, z) in metres, z > 0.
        """
        pixels = self.camera.project(np.asarray(points, dtype=np.float64))
        np.clip(pixels, -_COORDINATE_LIMIT, _COORDINATE_LIMIT, out=pixels)
        fixed = np.round(pixels * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillConvexPoly(self.layer, fixed, (surface,), cv2.LINE_8, _SUBPIXEL_BITS)

    def rect_front(self, surface: int, x: tuple[float, float], y: tuple[float, float], z: float) -> None:
        """Paint an upright rectangle that faces the camera."""
        self.polygon(surface, [(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)])

    def rect_side(self, surface: int, x: float, y: tuple[float, float], z: tuple[float, float]) -> None:
        """Paint an upright rectangle along the street."""
        self.polygon(surface, [(x, y[0], z[0]), (x, y[0], z[1]), (x, y[1], z[1]), (x, y[1], z[0])])

    def rect_ground(self, surface: int, x: tuple[float, float], y: float, z: tuple[float, float]) -> None:
        """Paint a horizontal rectangle."""
        self.polygon(surface, [(x[0], y, z[0]), (x[1], y, z[0]), (x[1], y, z[1]), (x[0], y, z[1])])

    def disc(
        self,
        surface: int,
        centre: tuple[float, float, float],
        radius: tuple[float, float],
        along: str = 'front',
        corners: int = 14,
    ) -> None:
        """Paint an ellipse in a plane that faces the camera or runs along the street.

        Args:
            surface: Number of the surface to which it belongs.
            centre: (x, y, z) in metres.
            radius: Horizontal and vertical radius in metres.
            along: ``'front'`` or ``'side'``.
            corners: Number of polygon corners.
        """
        turn = np.linspace(0.0, 2.0 * np.pi, corners, endpoint=False)
        points = np.tile(np.asarray(centre, dtype=np.float64), (corners, 1))
        points[:, 0 if along == 'front' else 2] += radius[0] * np.cos(turn)
        points[:, 1] += radius[1] * np.sin(turn)
        self.polygon(surface, points)

    def box(
        self,
        name: str,
        part: str,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        instance: int,
    ) -> None:
        """Paint the visible faces of a box: its top, one side, and the face towards the camera."""
        if y[1] < self.camera.position[1]:
            self.rect_ground(self.ground(name, part, y[1], instance, 1.12), x, y[1], z)
        near = self.near_side(x)
        if near is not None:
            self.rect_side(self.side(name, part, near, instance, 0.8), near, y, z)
        self.rect_front(self.front(name, part, z[0], instance), x, y, z[0])

    def near_side(self, x: tuple[float, float]) -> float | None:
        """Return the x of the side of a box that is visible to the camera; None if no side is."""
        if x[0] > self.camera.position[0]:
            return x[0]
        return x[1] if x[1] < self.camera.position[0] else None
