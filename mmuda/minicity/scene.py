"""One street of MiniCity: the positions of its objects, independent of their colours."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from .canvas import Camera, Canvas
from .street import Street, paint_end, paint_ground, paint_rows, paint_tree
from .things import (
    paint_bicycle,
    paint_bin,
    paint_bus,
    paint_car,
    paint_lamp,
    paint_light,
    paint_motorcycle,
    paint_person,
    paint_sign,
    paint_train,
    paint_truck,
)

_NEAREST = 5.0


class Thing(NamedTuple):
    """An object that is not painted yet, with its position: x of its middle and z of its near end, in metres."""

    painter: Callable[..., None]
    x: float
    z: float


def build_scene(rng: np.random.Generator, size: tuple[int, int]) -> Canvas:
    """Paint a random street.

    Args:
        rng: Generator for all random decisions.
        size: (W, H) in pixels.

    Returns:
        The canvas with the surfaces and their numbers by pixel.
    """
    width, height = size
    street = Street(
        half_road=rng.uniform(3.8, 5.8),
        walks=tuple(rng.uniform(1.8, 3.6, 2)),
        greens=tuple(rng.uniform(0.8, 2.2, 2) * (rng.random(2) < 0.35)),
    )
    camera = Camera(
        width,
        height,
        focal=0.72 * width,
        centre=(width * rng.uniform(0.42, 0.58), height * rng.uniform(0.40, 0.47)),
        position=(street.half_road * rng.uniform(0.2, 0.5), rng.uniform(1.5, 1.9)),
    )
    canvas = Canvas(camera)
    paint_end(canvas, rng)
    paint_ground(canvas, street, rng)
    paint_rows(canvas, street, rng)
    things = _place_vehicles(street, rng) + _place_walk(street, rng)
    for thing in sorted(things, key=lambda thing: -thing.z):
        thing.painter(canvas, thing.x, thing.z, rng)
    _paint_bonnet(canvas)
    return canvas


def _place_vehicles(street: Street, rng: np.random.Generator) -> list[Thing]:
    half = street.half_road
    things: list[Thing] = []
    taken: list[tuple[float, float, float]] = []

    def free(lane: float, z: float, length: float) -> bool:
        if any(lane == other and z < end + 1.0 and begin < z + length + 1.0 for other, begin, end in taken):
            return False
        taken.append((lane, z, z + length))
        return True

    lanes = (-0.45 * half, 0.45 * half)
    for painter, chance, length, nearest in (
        (paint_train, 0.2, 26.0, 8.0),
        (paint_bus, 0.24, 12.0, 8.0),
        (paint_truck, 0.26, 8.0, 7.0),
    ):
        if rng.random() < chance:
            lane = lanes[int(rng.integers(2))]
            z = rng.uniform(nearest, nearest + 12.0)
            if free(lane, z, length):
                things.append(Thing(painter, lane + rng.uniform(-0.2, 0.2), z))
    for lane in lanes:
        for z in rng.uniform(_NEAREST + 2.0, 50.0, int(rng.integers(0, 3))):
            if free(lane, z, 4.6):
                things.append(Thing(paint_car, lane + rng.uniform(-0.2, 0.2), z))
    for side in (-1.0, 1.0):
        if rng.random() < 0.5:
            z = rng.uniform(_NEAREST, 12.0)
            while z < 45.0:
                if rng.random() < 0.6:
                    things.append(Thing(paint_car, side * (half - 0.95), z))
                z += rng.uniform(5.2, 6.5)
    for two_wheeler, chance in ((paint_bicycle, 0.3), (paint_motorcycle, 0.26)):
        if rng.random() < chance:
            z = rng.uniform(_NEAREST, 14.0)
            x = rng.uniform(-0.8, 0.8) * half
            things.append(Thing(partial(two_wheeler, ridden=True), x, z))
    return things


def _place_walk(street: Street, rng: np.random.Generator) -> list[Thing]:
    half = street.half_road
    things: list[Thing] = []
    for side, walk in zip((-1.0, 1.0), street.walks, strict=True):
        kerb = side * (half + 0.35)

        def spot(side: float = side, walk: float = walk) -> float:
            return side * (half + rng.uniform(0.5, walk - 0.3))

        for nearness in rng.random(rng.poisson(1.7)):
            things.append(Thing(paint_person, spot(), _NEAREST + 16.0 * nearness**1.5))
        begin = rng.uniform(9.0, 18.0)
        for z in np.arange(begin, 45.0, rng.uniform(16.0, 24.0)):
            things.append(Thing(paint_lamp, kerb, float(z)))
        for painter, chance, farthest in ((paint_sign, 0.5, 16.0), (paint_light, 0.32, 16.0), (paint_bin, 0.15, 14.0)):
            if rng.random() < chance:
                things.append(Thing(painter, kerb, rng.uniform(_NEAREST + 1.0, farthest)))
        if rng.random() < 0.3:
            for z in np.arange(rng.uniform(_NEAREST + 1.0, 14.0), 50.0, rng.uniform(6.0, 9.0)):
                things.append(Thing(paint_tree, side * (half + 0.6), float(z)))
        for two_wheeler, chance in ((paint_bicycle, 0.22), (paint_motorcycle, 0.12)):
            if rng.random() < chance:
                things.append(Thing(partial(two_wheeler, ridden=False), spot(), rng.uniform(_NEAREST, 14.0)))
    if rng.random() < 0.2:
        z = rng.uniform(8.0, 20.0)
        for x in rng.uniform(-half, half, int(rng.integers(1, 4))):
            things.append(Thing(paint_person, x, z))
    return things


def _paint_bonnet(canvas: Canvas) -> None:
    camera = canvas.camera
    bonnet = canvas.front('ego vehicle', 'body', 1.0, canvas.new_instance())
    middle, bottom = camera.width / 2, camera.height
    z = 1.0
    scale = z / camera.focal

    def point(u: float, v: float) -> tuple[float, float, float]:
        return (
            camera.position[0] + (u - camera.centre[0]) * scale,
            camera.position[1] - (v - camera.centre[1]) * scale,
            z,
        )

    canvas.polygon(
        bonnet,
        [
            point(middle - 0.42 * camera.width, bottom),
            point(middle - 0.3 * camera.width, 0.965 * bottom),
            point(middle + 0.3 * camera.width, 0.965 * bottom),
            point(middle + 0.42 * camera.width, bottom),
        ],
    )
