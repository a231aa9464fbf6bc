"""Line charts as SVG elements that use the colours of the surrounding HTML page."""

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

# Dark enough for a white background and light enough for a black one.
COLORS = ('#3f7fd9', '#dd7230', '#2c9c72', '#b657a6', '#c8505a', '#7b72d6', '#2a93a8', '#95803a')
CHART_STYLE = Path(__file__).parent / 'templates' / 'chart.mplstyle'
# Placeholder colours of the style file, and the CSS colours that replace them.
CSS_COLORS = {'#010203': 'currentColor', '#040506': 'var(--grid, #d5d9df)'}
SIZE = (480, 240)
MAX_MARKERS = 40
SMOOTH_FROM = 200
MAX_LETTERS = 16


def series_colors(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each name. Use the result in all charts that show the same names."""
    return {name: COLORS[place % len(COLORS)] for place, name in enumerate(dict.fromkeys(names))}


def line_chart(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str, colors: Mapping[str, str] | None = None
) -> str:
    """Return a chart of curves over iterations, as an SVG element for an HTML page.

    The name of a curve is written at its end. Text has the text colour of the page (``currentColor``). The grid has the
    colour of the CSS variable ``--grid``, if the page sets it. A curve is interrupted at values that are not finite. A
    curve with ``SMOOTH_FROM`` values or more is drawn faintly, with its running mean over 2 % of the values on top.
    Details smaller than a unit of the drawing are simplified, but peaks are kept. Equal input gives equal output.

    Args:
        series: Steps and values by name.
        title: Title of the chart for screen readers.
        colors: Colours ``#rrggbb`` by name; by default :func:`series_colors` of the names.

    Returns:
        ``<svg>...</svg>`` with all names escaped.

    Raises:
        ValueError: If a curve has different numbers of steps and values, or a name has no colour.
    """
    # Imported here, so that `import mmuda` is fast: only reports need matplotlib.
    from matplotlib import style
    from matplotlib.figure import Figure

    colors = series_colors(series) if colors is None else colors
    for name, (steps, values) in series.items():
        if len(steps) != len(values):
            raise ValueError(f'curve {name!r} has {len(steps)} steps and {len(values)} values')
        if name not in colors:
            raise ValueError(f'curve {name!r} has no colour: `colors` has only {sorted(colors)}')
    curves = {name: _points(*curve) for name, curve in series.items()}
    letters = max((min(len(name), MAX_LETTERS) for name in curves), default=0)
    (width, height), left, right, top, bottom = SIZE, 46, max(24 + 6.5 * letters, 78), 10, 28
    box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
    # 'default' overrides the user's matplotlibrc. The salt makes the ids of charts with different titles differ, so
    # that one page can have several charts.
    with style.context(['default', CHART_STYLE, {'svg.hashsalt': title}]):
        figure = Figure(figsize=(width / 72, height / 72))
        axes = figure.add_axes(box)
        _draw(axes, curves, colors)
        stream = io.StringIO()
        with warnings.catch_warnings():
            # matplotlib's font is only used to measure the names; the browser draws them with its own fonts.
            warnings.filterwarnings('ignore', 'Glyph .* missing')
            figure.savefig(stream, format='svg', metadata=dict.fromkeys(('Date', 'Creator', 'Format', 'Type')))
    return _for_html(stream.getvalue(), title, curves)


def _points(steps: Sequence[float], values: Sequence[float]) -> Points:
    found = np.asarray(values, dtype=float)
    return np.asarray(steps, dtype=float), np.where(np.isfinite(found), found, np.nan)


def _draw(axes: 'Axes', curves: Mapping[str, Points], colors: Mapping[str, str]) -> None:
    """Draw all curves with the axes and the names."""
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
    """Return the mean of the finite values in a window around each value; NaN where there are none."""
    window = np.ones(len(values) // 50)
    known = np.isfinite(values)
    totals, counts = (np.convolve(part, window, 'same') for part in (np.where(known, values, 0), known))
    return np.where(counts > 0.5, totals / np.maximum(counts, 1), np.nan)


def _marked(values: np.ndarray) -> list[int]:
    """Return the indices of values that get a marker.

    These are all finite values of a short curve. In a long curve they are the finite values without finite neighbours,
    because a line through a single value is invisible.
    """
    known = np.isfinite(values)
    if len(values) > MAX_MARKERS:
        known &= ~np.append(known[1:], False) & ~np.append(False, known[:-1])
    return np.flatnonzero(known).tolist()


def _name_ends(axes: 'Axes', ends: Mapping[str, tuple[float, float]], colors: Mapping[str, str]) -> None:
    """Write the names to the right of the chart without overlap, each with a line to the end of its curve."""
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
    """Return the SVG element of matplotlib's file, with texts for screen readers and the fonts and colours of the page.

    Fonts and placeholder colours of matplotlib are replaced by those of the page.
    """
    # matplotlib's style element has the selector `*`: in an HTML page it would apply to the whole page.
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
    # XML does not allow these characters.
    return re.sub(r'[\x00-\x08\x0b\x0c\x0e-\x1f]', ' ', root.toxml())


def _add_tip(document: minidom.Document, element: minidom.Element, text: str) -> None:
    """Add a text that the browser shows when the pointer is on an element."""
    tip = document.createElement('title')
    tip.appendChild(document.createTextNode(text))
    element.insertBefore(tip, element.firstChild)
