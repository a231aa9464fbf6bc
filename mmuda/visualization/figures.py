"""Line charts as SVG that takes on the colours of the page around it."""

import io
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.dom import minidom

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = tuple[np.ndarray, np.ndarray]
"""Steps and values, both (N,) float64; values that are not finite are NaN."""

# Dark enough for white paper and light enough for black.
COLORS = ('#3f7fd9', '#dd7230', '#2c9c72', '#b657a6', '#c8505a', '#7b72d6', '#2a93a8', '#95803a')
CHART_STYLE = Path(__file__).parent / 'templates' / 'chart.mplstyle'
CSS_COLORS = {'#010203': 'currentColor', '#040506': 'var(--grid, #d5d9df)'}
SIZE = (480, 240)
MAX_MARKERS = 40
SMOOTH_FROM = 200
MAX_LETTERS = 16


def series_colors(names: Iterable[str]) -> dict[str, str]:
    """Give each name a colour, in turn; hand the result to all charts that show the same names."""
    return {name: COLORS[place % len(COLORS)] for place, name in enumerate(dict.fromkeys(names))}


def line_chart(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str, colors: Mapping[str, str] | None = None
) -> str:
    """Draw curves over iterations as an SVG element to put into HTML.

    Each name stands at the end of its curve. Text has the colour of its surroundings (``currentColor``) and the grid
    that of the CSS variable ``--grid``, if the page has one. A curve is interrupted at values that are not finite. One
    of ``SMOOTH_FROM`` values or more is drawn faintly, below its running mean over 2 % of the values. Details smaller
    than a unit of the drawing are left out, but no peak. Equal input gives equal output.

    Args:
        series: Steps and values by name.
        title: Names the chart for readers who cannot see it.
        colors: Colours ``#rrggbb`` by name; by default :func:`series_colors` of the names in their order.

    Returns:
        ``<svg>...</svg>`` with all names escaped.

    Raises:
        ValueError: If a curve has as many steps as values not, or a name has no colour.
    """
    # Imported here, because only reports need matplotlib: `import mmuda` stays fast.
    from matplotlib import style
    from matplotlib.figure import Figure

    colors = series_colors(series) if colors is None else colors
    for name, (steps, values) in series.items():
        if len(steps) != len(values):
            raise ValueError(f'curve {name!r} has {len(steps)} steps and {len(values)} values')
        if name not in colors:
            raise ValueError(f'curve {name!r} has no colour: the colours are for {sorted(colors)}')
    curves = {name: _points(*curve) for name, curve in series.items()}
    letters = max((min(len(name), MAX_LETTERS) for name in curves), default=0)
    (width, height), left, right, top, bottom = SIZE, 46, max(24 + 6.5 * letters, 78), 10, 28
    box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
    # The defaults keep the user's matplotlibrc out. The salt makes ids of charts with different titles differ, so that
    # they can stand in one page.
    with style.context(['default', CHART_STYLE, {'svg.hashsalt': title}]):
        figure = Figure(figsize=(width / 72, height / 72))
        axes = figure.add_axes(box)
        _draw(axes, curves, colors)
        stream = io.StringIO()
        with warnings.catch_warnings():
            # Its font only measures the names; the browser has letters of all scripts.
            warnings.filterwarnings('ignore', 'Glyph .* missing')
            figure.savefig(stream, format='svg', metadata=dict.fromkeys(('Date', 'Creator', 'Format', 'Type')))
    return _for_html(stream.getvalue(), title, curves)


def _points(steps: Sequence[float], values: Sequence[float]) -> Points:
    found = np.asarray(values, dtype=float)
    return np.asarray(steps, dtype=float), np.where(np.isfinite(found), found, np.nan)


def _draw(axes: 'Axes', curves: Mapping[str, Points], colors: Mapping[str, str]) -> None:
    """Draw all curves with their scales and names."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    ends: dict[str, tuple[float, float]] = {}
    for place, (name, (steps, values)) in enumerate(curves.items()):
        look: dict[str, Any] = dict(color=colors[name], gid=f'curve-{place}', clip_on=False)
        if len(values) >= SMOOTH_FROM:
            axes.plot(steps, values, color=colors[name], alpha=0.3, linewidth=0.6, zorder=1.5, clip_on=False)
            values = _running_mean(values)
        else:
            look.update(marker='o', markevery=_marked(values))
        axes.plot(steps, values, **look)
        known = np.flatnonzero(np.isfinite(values))
        if known.size:
            ends[name] = steps[known[-1]], values[known[-1]]
    if not ends:
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, 'no finite values', transform=axes.transAxes, ha='center', va='center')
        return
    finite = np.concatenate([steps[np.isfinite(values)] for steps, values in curves.values()])
    low, high = finite.min(), finite.max()
    axes.set_xlim((low, high) if low < high else (low - 1, high + 1))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=''))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.annotate('iteration', (1, 0), (22, -10), 'axes fraction', 'offset points', va='top')
    _name_ends(axes, ends, colors)


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of the finite values around each place; NaN where there are none."""
    window = np.ones(len(values) // 50)
    known = np.isfinite(values)
    totals, counts = (np.convolve(part, window, 'same') for part in (np.where(known, values, 0), known))
    return np.where(counts > 0.5, totals / np.maximum(counts, 1), np.nan)


def _marked(values: np.ndarray) -> list[int]:
    """Return the places to mark: all of a few, else those without neighbours, where no line would be seen."""
    known = np.isfinite(values)
    if len(values) > MAX_MARKERS:
        known &= ~np.append(known[1:], False) & ~np.append(False, known[:-1])
    return np.flatnonzero(known).tolist()


def _name_ends(axes: 'Axes', ends: Mapping[str, tuple[float, float]], colors: Mapping[str, str]) -> None:
    """Write the names to the right of the chart, one above the other, each tied to the end of its curve."""
    axes.autoscale_view()
    extent = axes.get_window_extent()
    names = sorted(ends, key=lambda name: ends[name][1])
    heights = [axes.transAxes.inverted().transform(axes.transData.transform(ends[name]))[1] for name in names]
    gap = min(13.5 / extent.height, 1 / len(names))
    for place in range(1, len(names)):
        heights[place] = max(heights[place], heights[place - 1] + gap)
    for place in reversed(range(len(names))):
        heights[place] = min(heights[place], 1 - gap * (len(names) - 1 - place))
    for name, height in zip(names, heights, strict=True):
        text = ''.join(letter if letter.isprintable() else ' ' for letter in name)
        axes.annotate(
            text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1] + '\u2026',
            ends[name],
            (1 + 14 / extent.width, height),
            textcoords='axes fraction',
            va='center',
            annotation_clip=False,
            parse_math=False,
            arrowprops=dict(arrowstyle='-', color=colors[name], relpos=(0, 0.5), shrinkA=0, shrinkB=2),
        )


def _for_html(svg: str, title: str, curves: Mapping[str, Points]) -> str:
    """Turn matplotlib's file into an element that describes itself and leaves fonts and colours to the page."""
    # The selector of matplotlib's style element is `*`: in HTML it would hold for the whole page.
    document = minidom.parseString(re.sub('<style.*?</style>', '', svg, flags=re.DOTALL))
    (root,) = document.getElementsByTagName('svg')
    last = {name: values[np.isfinite(values)][-1:] for name, (_, values) in curves.items()}
    told = ', '.join(f'{name} {value[0]:.4g}' for name, value in last.items() if value.size)
    root.setAttribute('role', 'img')
    root.setAttribute('aria-label', f'{title}; last values: {told or "none"}')
    root.removeAttribute('width')
    root.removeAttribute('height')
    groups = {group.getAttribute('id'): group for group in document.getElementsByTagName('g')}
    for place, (name, (steps, values)) in enumerate(curves.items()):
        marks = groups[f'curve-{place}'].getElementsByTagName('use')
        for mark, point in zip(marks, _marked(values) if marks else (), strict=True):
            _add_tip(document, mark, f'{name}, {steps[point]:g}: {values[point]:.4g}')
        _add_tip(document, groups[f'curve-{place}'], name)
    for element in document.getElementsByTagName('*'):
        if element.hasAttribute('id') and f'#{element.getAttribute("id")}' not in svg:
            element.removeAttribute('id')
        if element.hasAttribute('style'):
            look = re.sub('font(-size|-family)?: [^;]*(; |$)', '', element.getAttribute('style'))
            element.setAttribute('style', re.sub('|'.join(CSS_COLORS), lambda found: CSS_COLORS[found[0]], look))
        if element.hasAttribute('d'):
            element.setAttribute('d', re.sub(r'(\.\d\d)\d+|\s*\n', r'\1', element.getAttribute('d')))
    # XML does not allow these letters.
    return re.sub(r'[\x00-\x08\x0b\x0c\x0e-\x1f]', ' ', root.toxml())


def _add_tip(document: minidom.Document, element: minidom.Element, text: str) -> None:
    """Show a text where the pointer rests on an element."""
    tip = document.createElement('title')
    tip.appendChild(document.createTextNode(text))
    element.insertBefore(tip, element.firstChild)
