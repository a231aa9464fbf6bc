"""The immobile parts of a street: ground, houses, walls, fences, trees and the skyline at its end."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .canvas import Canvas

_NEAR = 1.5
_FAR = 300.0
_END = 85.0


@dataclass(frozen=True)
class Street:
    """Measures of one street in metres. The middle of the road is at x = 0.

    Args:
        half_road: Half the width of the road.
        walks: Widths of the left and the right sidewalk.
        greens: Widths of the grass strips behind the left and the right sidewalk.
    """

    half_road: float
    walks: tuple[float, float]
    greens: tuple[float, float]

    def line(self, side: int) -> float:
        """Return the distance of the houses on side 0 (left) or 1 (right) from the middle of the road."""
        return self.half_road + self.walks[side] + self.greens[side]


def paint_ground(canvas: Canvas, street: Street, rng: np.random.Generator) -> None:
    """Paint grass, sidewalks, road and road marks."""
    z = (_NEAR, _FAR)
    meadow = canvas.ground('terrain', 'body', 0.0, canvas.new_instance())
    canvas.rect_ground(meadow, (-400.0, 400.0), 0.0, z)
    paved = canvas.ground('sidewalk', 'body', 0.0, canvas.new_instance())
    half = street.half_road
    canvas.rect_ground(paved, (-half - street.walks[0], half + street.walks[1]), 0.0, z)
    instance = canvas.new_instance()
    canvas.rect_ground(canvas.ground('road', 'body', 0.0, instance), (-half, half), 0.0, z)
    kerb = canvas.ground('sidewalk', 'kerb', 0.0, canvas.new_instance())
    for x in (-half - 0.2, half):
        canvas.rect_ground(kerb, (x, x + 0.2), 0.0, z)
    mark = canvas.ground('road', 'mark', 0.0, instance)
    start = rng.uniform(_NEAR, 6.0)
    if rng.random() < 0.75:
        for begin in np.arange(start, 70.0, 6.0):
            canvas.rect_ground(mark, (-0.09, 0.09), 0.0, (begin, begin + 3.0))
    if rng.random() < 0.3:
        begin = rng.uniform(6.0, 22.0)
        for x in np.arange(-half + 0.4, half - 0.5, 1.1):
            canvas.rect_ground(mark, (x, x + 0.55), 0.0, (begin, begin + 3.2))


def paint_end(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint the skyline of distant houses and trees."""
    x = -110.0
    while x < 110.0:
        width = rng.uniform(6.0, 16.0)
        on_axis = abs(x + width / 2) < 9.0
        if rng.random() < (0.35 if on_axis else 0.75):
            instance = canvas.new_instance()
            if rng.random() < 0.5:
                face = canvas.front('building', 'body', _END, instance, 0.9)
                canvas.rect_front(face, (x, x + width), (0.0, rng.uniform(6.0, 15.0)), _END)
            else:
                crown = canvas.front('vegetation', 'body', _END, instance, 0.9)
                height = rng.uniform(3.0, 5.0)
                canvas.disc(crown, (x + width / 2, height, _END), (width * 0.6, height))
        x += width * rng.uniform(0.5, 0.9)


def paint_rows(canvas: Canvas, street: Street, rng: np.random.Generator) -> None:
    """Paint the houses, walls, fences, trees and gaps on both sides, distant ones first.

    Raises:
        ValueError: If the line of the houses runs through the camera.
    """
    for side in (0, 1):
        sign = -1.0 if side == 0 else 1.0
        line = street.line(side)
        if abs(sign * line - canvas.camera.position[0]) < 0.5:
            raise ValueError(f'the house line at {line:.2f} m runs through the camera')
        begins = [rng.uniform(2.0, 6.0)]
        while begins[-1] < 78.0:
            begins.append(begins[-1] + rng.uniform(6.0, 15.0))
        for begin, end in reversed(list(pairwise(begins))):
            kind = rng.choice(['house', 'wall', 'fence', 'trees', 'meadow'], p=[0.58, 0.12, 0.12, 0.12, 0.06])
            _SEGMENTS[kind](canvas, sign, line, (begin, end), rng)


def _house(canvas: Canvas, sign: float, line: float, z: tuple[float, float], rng: np.random.Generator) -> None:
    instance = canvas.new_instance()
    x, back = sign * line, sign * (line + rng.uniform(7.0, 10.0))
    floors = int(rng.integers(1, 5))
    height = 0.6 + 3.0 * floors
    ridge = height + rng.uniform(1.2, 3.0) if rng.random() < 0.6 else height
    middle = (x + back) / 2
    face = canvas.front('building', 'body', z[0], instance, 0.85)
    canvas.polygon(
        face, [(x, 0.0, z[0]), (back, 0.0, z[0]), (back, height, z[0]), (middle, ridge, z[0]), (x, height, z[0])]
    )
    if ridge > height:
        roof = canvas.side('building', 'roof', x, instance)
        canvas.polygon(roof, [(x, height, z[0]), (x, height, z[1]), (middle, ridge, z[1]), (middle, ridge, z[0])])
    wall = canvas.side('building', 'body', x, instance)
    canvas.rect_side(wall, x, (0.0, height), z)
    window = canvas.side('building', 'window', x, instance)
    pitch = rng.uniform(1.9, 2.8)
    columns = np.arange(z[0] + 0.7, z[1] - 1.1, pitch)
    for floor in range(floors):
        bottom = 0.9 + 3.0 * floor
        for column in columns:
            canvas.rect_side(window, x, (bottom, bottom + 1.5), (column, column + 1.1))
    if len(columns):
        door = canvas.side('building', 'door', x, instance)
        column = rng.choice(columns)
        canvas.rect_side(door, x, (0.0, 2.3), (column, column + 1.1))
    pane = canvas.front('building', 'window', z[0], instance)
    for floor in range(floors):
        bottom = 0.9 + 3.0 * floor
        for step in (1.5, 4.0):
            left = min(x + sign * step, x + sign * (step + 1.1))
            canvas.rect_front(pane, (left, left + 1.1), (bottom, bottom + 1.5), z[0])


def _barrier(canvas: Canvas, name: str, sign: float, line: float, z: tuple[float, float], height: float) -> int:
    instance = canvas.new_instance()
    x = sign * line
    canvas.rect_front(
        canvas.front(name, 'body', z[0], instance, 0.85),
        (min(x, x + sign * 0.4), max(x, x + sign * 0.4)),
        (0.0, height),
        z[0],
    )
    canvas.rect_side(canvas.side(name, 'body', x, instance), x, (0.0, height), z)
    return instance


def _wall(canvas: Canvas, sign: float, line: float, z: tuple[float, float], rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        _trees(canvas, sign, line + 2.0, z, rng)
    height = rng.uniform(1.9, 3.2)
    instance = _barrier(canvas, 'wall', sign, line, z, height)
    cap = canvas.side('wall', 'cap', sign * line, instance)
    canvas.rect_side(cap, sign * line, (height - 0.25, height), z)


def _fence(canvas: Canvas, sign: float, line: float, z: tuple[float, float], rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        _trees(canvas, sign, line + 2.0, z, rng)
    height = rng.uniform(1.4, 2.2)
    instance = _barrier(canvas, 'fence', sign, line, z, height)
    x = sign * line
    gap = canvas.side('fence', 'gap', x, instance)
    for begin in np.arange(z[0] + 0.15, z[1] - 0.3, 0.6):
        canvas.rect_side(gap, x, (0.3, height - 0.25), (begin, begin + 0.35))


def _trees(canvas: Canvas, sign: float, line: float, z: tuple[float, float], rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        _barrier(canvas, 'vegetation', sign, line + 0.5, z, rng.uniform(1.0, 2.2))
    for depth in reversed(np.arange(z[0] + 1.5, z[1], 3.5)):
        paint_tree(canvas, sign * (line + rng.uniform(1.5, 4.0)), float(depth), rng)


def _meadow(canvas: Canvas, sign: float, line: float, z: tuple[float, float], rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        paint_tree(canvas, sign * (line + rng.uniform(2.0, 5.0)), float(np.mean(z)), rng)


def paint_tree(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    """Paint a tree: a trunk and a crown of overlapping discs."""
    instance = canvas.new_instance()
    height = rng.uniform(3.0, 5.5)
    width = rng.uniform(1.3, 2.2)
    trunk = canvas.front('vegetation', 'trunk', z, instance)
    canvas.rect_front(trunk, (x - 0.18, x + 0.18), (0.0, height), z)
    for _ in range(4):
        leaves = canvas.front('vegetation', 'body', z, instance, rng.uniform(0.8, 1.15))
        middle = (x + rng.uniform(-0.5, 0.5) * width, height + rng.uniform(-0.6, 1.4), z)
        canvas.disc(leaves, middle, (width * rng.uniform(0.6, 0.9), width * rng.uniform(0.6, 0.9)))


_SEGMENTS = dict(house=_house, wall=_wall, fence=_fence, trees=_trees, meadow=_meadow)
