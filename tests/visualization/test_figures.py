"""Line charts: correct values, safe HTML, equal output for equal input."""

import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib
import pytest

from mmuda.visualization import line_chart, series_colors

SVG = '{http://www.w3.org/2000/svg}'


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f'{SVG}text')]


def curves(svg, color):
    """Return the path data of the lines with this colour, thickest first."""
    styles = [(path.get('style') or '', path.get('d')) for path in ElementTree.fromstring(svg).iter(f'{SVG}path')]
    lines = [(style, data) for style, data in styles if f'stroke: {color}' in style and 'width' in style]
    return [data for _, data in sorted(lines, key=lambda line: -float(re.search(r'width: ([\d.]+)', line[0])[1]))]


def points(svg):
    """Return the tooltip and the position of each marked value."""
    marks = [mark for mark in ElementTree.fromstring(svg).iter(f'{SVG}use') if mark.find(f'{SVG}title') is not None]
    return {mark.find(f'{SVG}title').text: (float(mark.get('x')), float(mark.get('y'))) for mark in marks}


def test_chart_is_a_drawing_of_the_values():
    chart = line_chart({'a<b': ([0, 10, 20], [0.0, 1.0, 0.5]), 'c': ([0, 20], [1.0, 1.0])}, 'T & U')
    assert {'a<b', 'c', 'iteration'} <= set(texts(chart))
    assert ElementTree.fromstring(chart).get('aria-label') == 'T & U; last values: a<b 0.5, c 1'
    found = points(chart)
    assert list(found) == ['a<b, 0: 0', 'a<b, 10: 1', 'a<b, 20: 0.5', 'c, 0: 1', 'c, 20: 1']
    (x0, y0), (x1, y1), (x2, y2) = list(found.values())[:3]
    assert x0 < x1 < x2 and x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    # The y axis of SVG points down. The value 0.5 is halfway between 0 and 1.
    assert y1 < y2 < y0 and y2 == pytest.approx((y0 + y1) / 2, abs=0.2)


@pytest.mark.parametrize(
    'series',
    [
        dict(a=([], [])),
        dict(a=([1], [float('nan')])),
        dict(a=([5], [2.0])),
        dict(a=([1, 2], [0.0, 0.0])),
        dict(a=([1, 2, 3], [1.0, float('inf'), 2.0])),
        dict(a=(list(range(5000)), [1e-9 * i for i in range(5000)])),
        dict(a=(list(range(20000)), [float(i * 7919 % 1000) for i in range(20000)])),
    ],
)
def test_chart_of_odd_values(series):
    chart = line_chart(series, 'odd')
    ElementTree.fromstring(chart)
    assert not re.search(r'"[^"]*\b(nan|inf)\b', chart) and len(chart) < 40000


def test_long_curves_keep_their_peaks_and_show_their_mean():
    values = [float(step % 2) for step in range(20000)]
    values[12345] = 7.0
    thick, thin = curves(line_chart(dict(a=(range(20000), values)), 'peak', colors=dict(a='#111111')), '#111111')
    heights = {name: [float(place.split()[1]) for place in re.findall(r'[ML] ?([\d.]+ [\d.]+)', data)]
               for name, data in dict(thick=thick, thin=thin).items()}  # fmt: skip
    unit = (max(heights['thin']) - min(heights['thin'])) / 7
    assert max(heights['thick']) - min(heights['thick']) < unit
    assert max(heights['thin']) - heights['thick'][len(heights['thick']) // 2] == pytest.approx(unit / 2, rel=0.1)


def test_chart_is_interrupted_at_values_that_are_not_finite():
    svg = line_chart({'a': ([1, 2, 3, 4, 5], [1, 2, math.nan, math.inf, 3])}, '', colors=dict(a='#111111'))
    (data,) = curves(svg, '#111111')
    assert data.count('M') == 2
    assert list(points(svg)) == ['a, 1: 1', 'a, 2: 2', 'a, 5: 3']


def test_a_value_between_gaps_is_marked_in_a_curve_without_marks():
    values = [1.0] * 60
    values[30] = values[32] = math.nan
    assert list(points(line_chart(dict(a=(range(60), values)), ''))) == ['a, 31: 1']


@pytest.mark.parametrize('series', [{}, {'a': ([], [])}, {'a': ([1], [math.nan])}])
def test_chart_without_values_says_so(series):
    svg = line_chart(series, 'Empty')
    assert texts(svg) == ['no finite values']
    assert ElementTree.fromstring(svg).get('aria-label') == 'Empty; last values: none'


@pytest.mark.parametrize(
    'values',
    [
        [0.0, 0.0],
        [7.0, 7.0],
        [-1e-9, 1e-9],
        [1e12, 3e12],
        [-5.0, -4.0],
        [0.1, 0.30000000001],
        [1e6 + 1, 1e6 + 3],
        [0.0, 5e-324],
        [1e16, 1e16 + 2],
    ],
)
@pytest.mark.parametrize('steps', [[3, 3], [1, 2], [0, 160000]])
def test_chart_of_awkward_ranges_has_different_ticks_and_stays_in_the_box(values, steps):
    svg = line_chart({'a': (steps, values)}, '')
    labels = list(ElementTree.fromstring(svg).iter(f'{SVG}text'))
    for anchor in ('end', 'middle'):
        numbers = [label.text for label in labels if f'text-anchor: {anchor}' in label.get('style')]
        assert len(numbers) >= 2 and len(numbers) == len(set(numbers))
    found = [
        (float(mark.get('x')), float(mark.get('y')))
        for mark in ElementTree.fromstring(svg).iter(f'{SVG}use')
        if mark.find(f'{SVG}title') is not None
    ]
    assert len(found) == 2
    assert all(45.9 <= x <= 402.1 and 9.9 <= y <= 212.1 for x, y in found)


@pytest.mark.parametrize(
    'steps, values, expected',
    [
        ([0, 20000], [0, 1], {'0', '20k'}),
        ([1, 2], [-0.5, 0.5], {'\u22120.5', '0.0', '0.5'}),
        ([1, 2], [0.001, 0.003], {'0.0010', '0.0030'}),
    ],
)
def test_chart_writes_round_numbers(steps, values, expected):
    assert expected <= set(texts(line_chart({'a': (steps, values)}, '')))


def test_names_stand_at_the_ends_and_do_not_overlap():
    names = [f'run {place}' for place in range(9)]
    svg = line_chart({name: ([0, 1], [0.0, 1 + 0.001 * place]) for place, name in enumerate(names)}, '')
    places = {text.text: float(text.get('y')) for text in ElementTree.fromstring(svg).iter(f'{SVG}text')}
    heights = [places[name] for name in names]
    assert all(above + 12 < below for below, above in zip(heights, heights[1:], strict=False))
    assert min(heights) > 0 and max(heights) < 240


def test_chart_escapes_names_and_writes_long_ones_short():
    evil = '<b>&"\'$x_1$ #010203'
    svg = line_chart({evil: ([1, 2], [1, 2])}, evil)
    assert '<b>' not in svg and ElementTree.fromstring(svg).get('aria-label').startswith(f'{evil}; ')
    assert evil[:15] + '\u2026' in texts(svg)
    titles = [title.text for title in ElementTree.fromstring(svg).iter(f'{SVG}title')]
    assert titles == [evil, f'{evil}, 1: 1', f'{evil}, 2: 2']


@pytest.mark.filterwarnings('error')
def test_names_of_any_script_and_odd_letters_can_be_drawn():
    found = texts(line_chart({name: ([1, 2], [1, 2]) for name in ('\u65b9\u6cd5', 'a\x0b\nb')}, ''))
    assert {'\u65b9\u6cd5', 'a  b'} <= set(found)


def test_charts_fit_a_page_in_both_colour_schemes():
    one, other = (line_chart({'a': ([1, 2], [1, 2])}, title) for title in ('one', 'other'))
    ids = [set(re.findall(r'\bid="([^"]*)"', svg)) for svg in (one, other)]
    assert ids[0] and not ids[0] & ids[1]
    assert all(f'#{found}' in one for found in ids[0])
    assert 'currentColor' in one and 'var(--grid' in one
    assert not re.search('<style|<!DOCTYPE|<metadata|DejaVu|#000000|#ffffff', one)


def test_equal_curves_give_equal_charts_whatever_the_users_settings(tmp_path):
    series = {'a': ([1, 2, 3], [1, 4, 2])}
    chart = line_chart(series, 'title')
    with matplotlib.rc_context({'lines.linewidth': 9, 'font.size': 30, 'svg.fonttype': 'path', 'text.color': 'red'}):
        # Reading the backend would select one.
        before = {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != 'backend'}
        assert line_chart(series, 'title') == chart
        assert {name: matplotlib.rcParams[name] for name in before} == before
    (tmp_path / 'matplotlibrc').write_text('axes.grid: False\nlines.linewidth: 7\n')
    # An import of matplotlib.pyplot would fail with this backend.
    program = (
        'import sys\nfrom mmuda.visualization import line_chart\n'
        f'sys.stdout.write(line_chart({series}, "title"))\nassert "matplotlib.pyplot" not in sys.modules'
    )
    env = dict(os.environ, MATPLOTLIBRC=str(tmp_path), MPLBACKEND='module://no_such_backend')
    found = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, env=env)
    assert found.returncode == 0, found.stderr
    assert found.stdout.endswith(chart)


def test_chart_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="'a' has 2 steps and 1 values"):
        line_chart(dict(a=([1, 2], [1.0])), 'x')
    with pytest.raises(ValueError, match="'a' has no colour"):
        line_chart({'a': ([1], [1.0])}, '', colors={'b': 'red'})


def test_colours_repeat_after_the_last():
    names = [str(place) for place in range(10)]
    colors = series_colors([*names, '0'])
    assert list(colors) == names and len(set(colors.values())) == 8 and colors['8'] == colors['0']
