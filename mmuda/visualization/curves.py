"""What a training run logged, and line charts of it."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

Curve = tuple[list[int], list[float]]
"""Steps, ascending, and the value at each."""

# Dark enough for white paper and light enough for black.
COLORS = ('#3f7fd9', '#dd7230', '#2c9c72', '#b657a6', '#c8505a', '#7b72d6', '#2a93a8', '#95803a')
SCALARS = '*/vis_data/scalars.json'
MAX_COLUMNS = 300
MAX_MARKERS = 40


def read_scalars(work_dir: str | Path) -> dict[str, Curve]:
    """Read what mmengine's ``LocalVisBackend`` wrote during a run and its resumed continuations.

    Each start of a run has its own folder, named by its time. They are merged by step; where two have a value for the
    same step, the newer one counts. The last line of a file may be torn, as the run may have been killed while writing.
    The timings of validation are left out: they have the names of the timings of training.

    Args:
        work_dir: Folder with ``<timestamp>/vis_data/scalars.json``.

    Returns:
        Steps, ascending, and values by name; NaN and infinite values as they are.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line other than the last is not a JSON object with a step.
    """
    files = sorted(Path(work_dir).glob(SCALARS), key=lambda path: path.parent.parent.name)
    if not files:
        raise FileNotFoundError(
            f'no file {SCALARS} under {work_dir}: give the work_dir of a run that has logged at '
            'least once and has LocalVisBackend among its vis_backends'
        )
    found: dict[str, dict[int, float]] = {}
    for path in files:
        for record in _records(path):
            step = record['step']
            timings = () if 'iter' in record else ('time', 'data_time')
            for name, value in record.items():
                number = isinstance(value, (int, float)) and not isinstance(value, bool)
                if number and name not in ('step', 'iter', 'epoch', *timings):
                    found.setdefault(name, {})[step] = float(value)
    return {name: _curve(values) for name, values in found.items()}


def _curve(values: Mapping[int, float]) -> Curve:
    """Values by step as two lists in the order of the steps."""
    steps = sorted(values)
    return steps, [values[step] for step in steps]


def _records(path: Path) -> Iterable[dict]:
    """The JSON objects of a file, less a torn last one."""
    lines = path.read_bytes().rstrip().split(b'\n')
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            if number == len(lines):
                return
            raise ValueError(f'{path}, line {number} is not JSON: {line[:60]!r}; delete the line') from None
        if not isinstance(record, dict) or not isinstance(record.get('step'), int):
            raise ValueError(
                f'{path}, line {number} must be a JSON object with a whole number "step", not '
                f'{line[:60]!r}; delete the line'
            )
        yield record


def series_colors(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name, in turn; hand the result to all charts that show the same names."""
    return {name: COLORS[place % len(COLORS)] for place, name in enumerate(dict.fromkeys(names))}


def line_chart(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    title: str,
    width: int = 720,
    height: int = 300,
    x_label: str = 'iteration',
    y_label: str = '',
    colors: Mapping[str, str] | None = None,
    legend: bool = True,
) -> str:
    """Draw curves as an SVG element to put into HTML.

    Text has the colour of its surroundings (``currentColor``) and the grid that of the CSS variable ``--grid``, if the
    page has one. A line is interrupted at values that are not finite. Curves with very many points keep the lowest and
    the highest point of each of a few hundred columns, so that no peak is lost.

    Args:
        series: Steps and values by name.
        title: Stands above the chart.
        width: Width of the drawing in its own units; it scales with the page.
        height: Its height.
        x_label: What the steps count.
        y_label: What the values are; nothing by default.
        colors: CSS colours by name; by default :func:`series_colors` of the names in their order.
        legend: Whether to name the curves.

    Returns:
        ``<svg>...</svg>`` with all names escaped.

    Raises:
        ValueError: If a curve has as many steps as values not, or a name has no colour.
    """
    colors = series_colors(series) if colors is None else colors
    for name, (steps, values) in series.items():
        if len(steps) != len(values):
            raise ValueError(f'curve {name!r} has {len(steps)} steps and {len(values)} values')
        if name not in colors:
            raise ValueError(f'curve {name!r} has no colour: the colours are for {sorted(colors)}')
    parts = [f'<text x="12" y="20" font-size="13" font-weight="600">{escape(title)}</text>']
    top = 34
    if legend:
        drawn, top = _legend(series, colors, top, width)
        parts += drawn
    box = (52, top + 4, width - 16, height - 38)
    points = [
        (x, y) for steps, values in series.values() for x, y in zip(steps, values, strict=True) if math.isfinite(y)
    ]
    parts += _frame(box, x_label, y_label)
    if points:
        x_low, x_high = min(x for x, _ in points), max(x for x, _ in points)
        if x_low == x_high:
            x_low, x_high = x_low - 1, x_high + 1
        y_ticks = _ticks(min(y for _, y in points), max(y for _, y in points), max(2, (box[3] - box[1]) // 45))
        x_ticks = [
            tick
            for tick in _ticks(x_low, x_high, max(2, (box[2] - box[0]) // 70), whole=True)
            if x_low <= tick <= x_high
        ]
        scale = _Scale((x_low, x_high), (y_ticks[0], y_ticks[-1]), box)
        parts += _grid(x_ticks, y_ticks, scale)
        for name, (steps, values) in series.items():
            parts += _line(name, steps, values, colors[name], scale)
    else:
        parts.append(
            f'<text x="{(box[0] + box[2]) / 2:.0f}" y="{(box[1] + box[3]) / 2:.0f}" font-size="11" '
            'text-anchor="middle" opacity="0.6">no finite values</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="100%" role="img" '
        f'aria-label="{escape(title)}" fill="currentColor" '
        'style="font-family:system-ui,-apple-system,\'Segoe UI\',Roboto,sans-serif">' + ''.join(parts) + '</svg>'
    )


class _Scale:
    """From data to drawing: ranges (low, high) of x and y onto a box (left, top, right, bottom)."""

    def __init__(self, xs: tuple[float, float], ys: tuple[float, float], box: tuple[int, int, int, int]) -> None:
        self.xs, self.ys, self.box = xs, ys, box

    def x(self, value: float) -> float:
        """Horizontal place of a step."""
        left, _, right, _ = self.box
        return left + (value - self.xs[0]) / (self.xs[1] - self.xs[0]) * (right - left)

    def y(self, value: float) -> float:
        """Vertical place of a value."""
        _, top, _, bottom = self.box
        return bottom - (value - self.ys[0]) / (self.ys[1] - self.ys[0]) * (bottom - top)


def _ticks(low: float, high: float, count: int, whole: bool = False) -> list[float]:
    """Round numbers, at least two, from at or below ``low`` to at or above ``high``."""
    # As good as equal: between such numbers there is no room for ticks.
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-280):
        margin = abs(low) * 0.1 or 1
        low, high = low - margin, high + margin
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    step = max(1, step) if whole else step
    # A hair of tolerance: 0.3 / 0.1 is 2.9999999999999996.
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [place * step for place in range(first, max(last, first + 1) + 1)]


def _number(value: float, step: float) -> str:
    """A tick's number, with the digits that its distance to the next needs."""
    if step >= 1000 and abs(value) < 1e7:
        text = f'{value / 1000:g}k' if value else '0'
    else:
        # Adding zero makes -0.0 a plain zero.
        text = f'{round(value, max(0, -math.floor(math.log10(step)))) + 0.0:.10g}'
    return text.replace('-', '\u2212')


def _legend(names: Iterable[str], colors: Mapping[str, str], top: int, width: int) -> tuple[list[str], int]:
    """Coloured names in as many lines as they need, and where they end."""
    parts, left = [], 12.0
    for name in names:
        # Widths of text are not known here; 6.4 per letter is generous at this size.
        needed = 22 + 6.4 * len(name) + 14
        if left > 12 and left + needed > width:
            left, top = 12.0, top + 18
        parts.append(
            f'<rect x="{left:.0f}" y="{top + 2}" width="14" height="3" rx="1.5" '
            f'fill="{escape(colors[name])}"/>'
            f'<text x="{left + 20:.0f}" y="{top + 7}" font-size="11">{escape(name)}</text>'
        )
        left += needed
    return parts, top + 18


def _frame(box: tuple[int, int, int, int], x_label: str, y_label: str) -> list[str]:
    """Axes and what they show."""
    left, top, right, bottom = box
    return [
        f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="currentColor" stroke-opacity="0.35"/>',
        f'<text x="{right}" y="{bottom + 31}" font-size="10.5" text-anchor="end" opacity="0.65">'
        f'{escape(x_label)}</text>',
        f'<text transform="translate(14 {(top + bottom) / 2:.0f}) rotate(-90)" font-size="10.5" '
        f'text-anchor="middle" opacity="0.65">{escape(y_label)}</text>',
    ]


def _grid(x_ticks: Sequence[float], y_ticks: Sequence[float], scale: _Scale) -> list[str]:
    """Ticks with their numbers, and the light lines of the values."""
    left, _, right, bottom = scale.box
    parts = []
    for tick in y_ticks:
        y = scale.y(tick)
        parts.append(
            f'<path d="M{left} {y:.1f}H{right}" style="stroke:var(--grid,#e3e6ea)" fill="none"/>'
            f'<text x="{left - 7}" y="{y + 3.5:.1f}" font-size="10.5" text-anchor="end" opacity="0.75">'
            f'{_number(tick, y_ticks[1] - y_ticks[0])}</text>'
        )
    distance = x_ticks[1] - x_ticks[0] if len(x_ticks) > 1 else 1
    for tick in x_ticks:
        x = scale.x(tick)
        parts.append(
            f'<path d="M{x:.1f} {bottom}v4" stroke="currentColor" stroke-opacity="0.35"/>'
            f'<text x="{x:.1f}" y="{bottom + 16}" font-size="10.5" text-anchor="middle" opacity="0.75">'
            f'{_number(tick, distance)}</text>'
        )
    return parts


def _line(name: str, steps: Sequence[float], values: Sequence[float], color: str, scale: _Scale) -> list[str]:
    """One curve, and its points where there are few."""
    path, pen_down, dots = [], False, []
    for step, value in _thin(list(zip(steps, values, strict=True))):
        if not math.isfinite(value):
            pen_down = False
            continue
        x, y = scale.x(step), scale.y(value)
        # A point without neighbours is a line of no length, which its round ends make visible.
        path.append(f'L{x:.1f} {y:.1f}' if pen_down else f'M{x:.1f} {y:.1f}h0')
        pen_down = True
        dots.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"><title>{escape(name)}, {step:g}: {value:.4g}</title></circle>'
        )
    color = escape(color)
    parts = [
        f'<path d="{"".join(path)}" fill="none" stroke="{color}" stroke-width="1.8" stroke-linejoin="round" '
        'stroke-linecap="round"/>'
    ]
    if len(dots) <= MAX_MARKERS:
        parts.append(f'<g fill="{color}">{"".join(dots)}</g>')
    return parts


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most two points, the lowest and the highest, of each of MAX_COLUMNS runs of neighbours."""
    if len(points) <= 2 * MAX_COLUMNS:
        return points
    kept: list[tuple[float, float]] = []
    for column in range(MAX_COLUMNS):
        group = points[column * len(points) // MAX_COLUMNS : (column + 1) * len(points) // MAX_COLUMNS]
        finite = [point for point in group if math.isfinite(point[1])]
        if not finite:
            kept.append(group[0])
            continue
        extremes = {min(finite, key=lambda point: point[1]), max(finite, key=lambda point: point[1])}
        kept += sorted(extremes)
    return kept
