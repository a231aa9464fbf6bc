"""Painters of the objects in a street: vehicles, people, poles, lights, signs and bins.

Every painter takes the canvas, the position of the object (x of its middle and z of its near end, in metres) and a
random generator.
"""

import numpy as np

from .canvas import Canvas


def _wheels(
    canvas: Canvas, name: str, x: tuple[float, float], radius: float, axles: list[float], near: float, instance: int
) -> None:
    side = canvas.near_side(x)
    if side is not None:
        wheel = canvas.side(name, 'wheel', side, instance)
        for z in axles:
            canvas.disc(wheel, (side, radius, z), (radius, radius), 'side')
    tyre = canvas.front(name, 'wheel', near, instance)
    for left in (x[0] + 0.05, x[1] - 0.3):
        canvas.rect_front(tyre, (left, left + 0.25), (0.0, radius), near)


def _shadow(canvas: Canvas, x: tuple[float, float], z: tuple[float, float]) -> None:
    shadow = canvas.ground('road', 'shadow', 0.0, canvas.new_instance())
    canvas.rect_ground(shadow, (x[0] - 0.15, x[1] + 0.15), 0.0, (max(z[0] - 0.3, 1.0), z[1]))


def _lamps(canvas: Canvas, name: str, x: tuple[float, float], y: float, z: float, instance: int) -> None:
    lamp = canvas.front(name, 'lamp', z, instance)
    for left in (x[0] + 0.1, x[1] - 0.4):
        canvas.rect_front(lamp, (left, left + 0.3), (y, y + 0.2), z)


def paint_car(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    """Paint a car."""
    instance = canvas.new_instance()
    half = rng.uniform(0.85, 0.98)
    length = rng.uniform(3.8, 4.6)
    roof = rng.uniform(1.4, 1.62)
    wide = (x - half, x + half)
    _shadow(canvas, wide, (z, z + length))
    canvas.box('car', 'body', wide, (0.25, 0.88), (z, z + length), instance)
    narrow = (x - half + 0.15, x + half - 0.15)
    cabin = (z + 0.5, z + length - 1.1)
    canvas.box('car', 'body', narrow, (0.88, roof), cabin, instance)
    side = canvas.near_side(narrow)
    if side is not None:
        glass = canvas.side('car', 'glass', side, instance)
        middle = sum(cabin) / 2
        for begin, end in ((cabin[0] + 0.25, middle - 0.1), (middle + 0.1, cabin[1] - 0.25)):
            canvas.rect_side(glass, side, (0.95, roof - 0.12), (begin, end))
    glass = canvas.front('car', 'glass', cabin[0], instance)
    canvas.rect_front(glass, (narrow[0] + 0.12, narrow[1] - 0.12), (0.95, roof - 0.1), cabin[0])
    _lamps(canvas, 'car', wide, 0.6, z, instance)
    _wheels(canvas, 'car', wide, 0.33, [z + 0.8, z + length - 0.8], z, instance)


def paint_truck(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    """Paint a truck: a tall box with a cab in front. The windscreen is visible if it drives towards the camera."""
    instance = canvas.new_instance()
    wide = (x - 1.25, x + 1.25)
    length = rng.uniform(5.5, 8.0)
    height = rng.uniform(3.0, 3.7)
    _shadow(canvas, wide, (z, z + length))
    oncoming = x < 0
    cargo = (z + 1.9, z + length) if oncoming else (z, z + length - 1.9)
    cab = (z, z + 1.7) if oncoming else (z + length - 1.7, z + length)
    for part, span, top in sorted([('body', cargo, height), ('cab', cab, 2.5)], key=lambda item: -item[1][0]):
        canvas.box('truck', part, wide, (0.6, top), span, instance)
    if oncoming:
        glass = canvas.front('truck', 'glass', z, instance)
        canvas.rect_front(glass, (x - 1.05, x + 1.05), (1.5, 2.3), z)
    chassis = canvas.front('truck', 'wheel', z, instance)
    canvas.rect_front(chassis, (x - 1.1, x + 1.1), (0.4, 0.65), z)
    _lamps(canvas, 'truck', wide, 0.75, z, instance)
    _wheels(canvas, 'truck', wide, 0.5, [z + 0.9, z + length - 2.2, z + length - 1.0], z, instance)


def _coach(canvas: Canvas, name: str, x: float, z: float, length: float, top: float) -> int:
    instance = canvas.new_instance()
    wide = (x - 1.25, x + 1.25)
    _shadow(canvas, wide, (z, z + length))
    canvas.box(name, 'body', wide, (0.35, top), (z, z + length), instance)
    side = canvas.near_side(wide)
    if side is not None:
        stripe = canvas.side(name, 'stripe', side, instance)
        canvas.rect_side(stripe, side, (0.8, 1.1), (z, z + length))
        glass = canvas.side(name, 'glass', side, instance)
        for begin in np.arange(z + 0.5, z + length - 1.2, 1.6):
            canvas.rect_side(glass, side, (1.5, top - 0.7), (begin, begin + 1.3))
    stripe = canvas.front(name, 'stripe', z, instance)
    canvas.rect_front(stripe, wide, (0.8, 1.1), z)
    glass = canvas.front(name, 'glass', z, instance)
    canvas.rect_front(glass, (x - 1.05, x + 1.05), (1.4, top - 0.7), z)
    _lamps(canvas, name, wide, 0.5, z, instance)
    return instance


def paint_bus(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    """Paint a bus."""
    length = rng.uniform(9.0, 12.0)
    instance = _coach(canvas, 'bus', x, z, length, rng.uniform(2.9, 3.2))
    _wheels(canvas, 'bus', (x - 1.25, x + 1.25), 0.5, [z + 2.0, z + length - 2.5], z, instance)


def paint_train(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    """Paint a tram."""
    rail = canvas.ground('road', 'shadow', 0.0, canvas.new_instance())
    for left in (x - 0.75, x + 0.65):
        canvas.rect_ground(rail, (left, left + 0.1), 0.0, (1.5, 80.0))
    instance = _coach(canvas, 'train', x, z, rng.uniform(18.0, 26.0), rng.uniform(3.3, 3.6))
    board = canvas.front('train', 'board', z, instance)
    canvas.rect_front(board, (x - 0.6, x + 0.6), (3.0, 3.25), z)


def paint_person(
    canvas: Canvas, x: float, z: float, rng: np.random.Generator, name: str = 'person', seat: float = 0.0
) -> None:
    """Paint a person, who walks or, if ``seat`` is not 0, sits at this height in metres."""
    instance = canvas.new_instance()
    size = rng.uniform(0.92, 1.08)
    legs = canvas.front(name, 'legs', z, instance)
    if seat:
        canvas.polygon(
            legs, [(x - 0.2, seat, z), (x + 0.2, seat, z), (x + 0.25, seat - 0.5, z), (x - 0.05, seat - 0.5, z)]
        )
        hip = seat
    else:
        hip = 0.82 * size
        stride = rng.uniform(0.05, 0.25)
        for foot in (-stride, stride):
            canvas.polygon(
                legs, [(x + foot - 0.09, 0.0, z), (x + foot + 0.09, 0.0, z), (x + 0.16, hip, z), (x - 0.16, hip, z)]
            )
    torso = canvas.front(name, 'body', z, instance)
    neck = hip + 0.62 * size
    canvas.polygon(
        torso, [(x - 0.24, hip - 0.05, z), (x + 0.24, hip - 0.05, z), (x + 0.33, neck, z), (x - 0.33, neck, z)]
    )
    head = canvas.front(name, 'head', z, instance)
    canvas.disc(head, (x, neck + 0.16, z), (0.15, 0.18), corners=10)


def paint_bicycle(canvas: Canvas, x: float, z: float, rng: np.random.Generator, ridden: bool) -> None:
    """Paint a bicycle at a random angle to the camera, with a rider if ``ridden`` is True."""
    instance = canvas.new_instance()
    turn = rng.uniform(0.45, 1.0)
    wheel = canvas.front('bicycle', 'wheel', z, instance)
    inside = canvas.front('bicycle', 'spokes', z, instance)
    for step in (-0.55 * turn, 0.55 * turn):
        canvas.disc(wheel, (x + step, 0.36, z), (0.36 * turn, 0.36))
        canvas.disc(inside, (x + step, 0.36, z), (0.24 * turn, 0.24))
    frame = canvas.front('bicycle', 'body', z, instance)
    canvas.polygon(
        frame,
        [(x - 0.5 * turn, 0.4, z), (x - 0.1 * turn, 0.4, z), (x + 0.45 * turn, 0.95, z), (x - 0.25 * turn, 0.95, z)],
    )
    canvas.rect_front(frame, (x + 0.35 * turn, x + 0.5 * turn), (0.4, 1.1), z)
    if ridden:
        paint_person(canvas, x - 0.1 * turn, z, rng, 'rider', 1.0)


def paint_motorcycle(canvas: Canvas, x: float, z: float, rng: np.random.Generator, ridden: bool) -> None:
    """Paint a motorcycle at a random angle to the camera, with a rider if ``ridden`` is True."""
    instance = canvas.new_instance()
    turn = rng.uniform(0.4, 1.0)
    wheel = canvas.front('motorcycle', 'wheel', z, instance)
    for step in (-0.68 * turn, 0.68 * turn):
        canvas.disc(wheel, (x + step, 0.34, z), (0.36 * turn, 0.34))
    body = canvas.front('motorcycle', 'body', z, instance)
    canvas.polygon(
        body,
        [(x - 0.55 * turn, 0.35, z), (x + 0.45 * turn, 0.35, z), (x + 0.6 * turn, 1.05, z), (x - 0.7 * turn, 0.9, z)],
    )
    seat = canvas.front('motorcycle', 'seat', z, instance)
    canvas.rect_front(seat, (x - 0.65 * turn, x + 0.1 * turn), (0.8, 0.95), z)
    if ridden:
        paint_person(canvas, x - 0.2 * turn, z, rng, 'rider', 0.95)


def _post(canvas: Canvas, x: float, z: float, height: float, width: float) -> int:
    instance = canvas.new_instance()
    pole = canvas.front('pole', 'body', z, instance)
    canvas.rect_front(pole, (x - width / 2, x + width / 2), (0.0, height), z)
    return pole


def paint_lamp(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    """Paint a street lamp whose arm reaches over the road."""
    height = rng.uniform(5.0, 6.5)
    pole = _post(canvas, x, z, height, 0.3)
    arm = tuple(sorted((x, x - np.sign(x) * 1.3)))
    canvas.rect_front(pole, arm, (height - 0.15, height), z)
    head = x - np.sign(x) * 1.3
    canvas.rect_front(pole, (head - 0.35, head + 0.35), (height - 0.3, height), z)


def paint_light(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    """Paint a traffic light on its post."""
    bottom = rng.uniform(2.3, 2.7)
    _post(canvas, x, z, bottom, 0.28)
    instance = canvas.new_instance()
    case = canvas.front('traffic light', 'body', z, instance)
    canvas.rect_front(case, (x - 0.45, x + 0.45), (bottom, bottom + 1.8), z)
    lit = int(rng.integers(3))
    for number, part in enumerate(('green', 'amber', 'red')):
        lens = canvas.front('traffic light', part if number == lit else 'dark', z, instance)
        canvas.disc(lens, (x, bottom + 0.33 + 0.57 * number, z), (0.25, 0.25), corners=8)


def paint_sign(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    """Paint a traffic sign on its post: a disc, a triangle or a board."""
    bottom = rng.uniform(1.9, 2.3)
    _post(canvas, x, z, bottom + 0.5, 0.26)
    instance = canvas.new_instance()
    plate = canvas.front('traffic sign', 'body', z, instance)
    inner = canvas.front('traffic sign', 'inner', z, instance)
    shape = int(rng.integers(3))
    if shape == 0:
        canvas.disc(plate, (x, bottom + 0.5, z), (0.62, 0.62))
        canvas.disc(inner, (x, bottom + 0.5, z), (0.36, 0.36))
    elif shape == 1:
        for surface, half, low in ((plate, 0.7, 0.0), (inner, 0.38, 0.2)):
            canvas.polygon(
                surface, [(x - half, bottom + low, z), (x + half, bottom + low, z), (x, bottom + low + 1.7 * half, z)]
            )
    else:
        canvas.rect_front(plate, (x - 0.6, x + 0.6), (bottom, bottom + 1.3), z)
        canvas.rect_front(inner, (x - 0.42, x + 0.42), (bottom + 0.2, bottom + 0.7), z)


def paint_bin(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    """Paint a litter bin, which has the ignored class ``static``."""
    half = rng.uniform(0.25, 0.4)
    canvas.box(
        'static', 'body', (x - half, x + half), (0.0, rng.uniform(0.8, 1.1)), (z, z + 2 * half), canvas.new_instance()
    )
