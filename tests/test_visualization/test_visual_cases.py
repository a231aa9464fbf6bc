"""Pictures and curves: borders of what is allowed, and odd input."""

import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from mmengine.visualization import LocalVisBackend

from mmuda.visualization import colorize, entropy_map, heat, line_chart, panel, read_scalars

SVG = '{http://www.w3.org/2000/svg}'
PALETTE = [(10, 20, 30), (200, 100, 0), (0, 0, 255)]


def test_colorize_blackens_an_ignored_class_that_has_a_colour():
    assert colorize(np.array([[1, 0]], dtype=np.uint8), PALETTE, ignore_index=1).tolist() == [[[0, 0, 0], [10, 20, 30]]]


@pytest.mark.parametrize('palette, words', [([(1, 2)], 'RGB triples'), ([(1, 2, 256)], '256'), ([(-1, 2, 3)], '-1')])
def test_colorize_refuses_a_palette(palette, words):
    with pytest.raises(ValueError, match=words):
        colorize(np.zeros((2, 2), dtype=np.uint8), palette)


def test_entropy_map_is_zero_for_certainty_and_one_for_ignorance():
    logits = torch.zeros(4, 1, 3)
    logits[2, 0, 0] = 1000
    logits[:2, 0, 2] = 50
    np.testing.assert_allclose(entropy_map(logits), [[0, 1, math.log(2) / math.log(4)]], atol=1e-6)


def test_heat_is_rgb():
    # The upper end of viridis is yellow: red and green, little blue.
    red, green, blue = heat(np.ones((1, 1)), 'viridis')[0, 0].tolist()
    assert red > 200 and green > 200 and blue < 80
    with pytest.raises(ValueError, match='jet'):
        heat(np.zeros((1, 1)), 'jet')


def solid(height, width, color):
    return np.full((height, width, 3), color, dtype=np.uint8)


def count(sheet, color):
    return int((sheet == color).all(axis=2).sum())


def test_panel_shows_every_picture_at_the_common_height():
    sheet = panel(
        {'a': solid(20, 40, (255, 0, 0)), 'b': solid(10, 20, (0, 255, 0)), 'c': solid(40, 40, (0, 0, 255))},
        columns=2,
        height=20,
    )
    assert [count(sheet, color) for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255))] == [800, 800, 400]


def test_panel_goes_row_by_row_and_takes_the_tallest_height():
    colors = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    sheet = panel({str(place): solid(8 + place, 8 + place, color) for place, color in enumerate(colors)}, columns=2)
    first, second, third = (np.argwhere((sheet == color).all(axis=2)).min(axis=0) for color in colors)
    assert [count(sheet, color) for color in colors] == [100, 100, 100]
    assert first[0] == second[0] < third[0] and first[1] == third[1] < second[1]


def test_panel_cuts_captions_at_the_picture():
    plain, written = (panel({name: solid(8, 16, 255), 'z' + name: solid(8, 16, 255)}, 1) for name in ('', 'W' * 90))
    assert plain.shape == written.shape
    assert (written < 128).any(axis=2).sum() > (plain < 128).any(axis=2).sum() > 0
    assert (written[:, :4] == 255).all() and (written[:, -4:] == 255).all()


def log(work_dir, start, *records):
    """Log as mmengine does."""
    backend = LocalVisBackend(str(work_dir / start / 'vis_data'))
    for record in records:
        backend.add_scalars(record)
    return work_dir / start / 'vis_data' / 'scalars.json'


def train(step, loss):
    return dict(loss=loss, time=0.5, iter=step, step=step)


def test_timings_of_validation_do_not_replace_those_of_training(tmp_path):
    log(tmp_path, '20260101_000000', train(4, 1.0), dict(mIoU=30.0, time=9.0, data_time=8.0, step=4))
    assert read_scalars(tmp_path) == dict(loss=([4], [1.0]), mIoU=([4], [30.0]), time=([4], [0.5]))


def test_the_newest_folder_wins_by_name_and_steps_are_sorted(tmp_path):
    # Written in the wrong order on purpose: the names of the folders count, not the times of the files.
    log(tmp_path, '20260102_000000', train(6, 0.6), train(4, 0.4))
    log(tmp_path, '20260101_000000', train(2, 9.2), train(4, 9.4))
    assert read_scalars(str(tmp_path))['loss'] == ([2, 4, 6], [9.2, 0.4, 0.6])


@pytest.mark.parametrize('keep', [1, 20, -2])
def test_a_last_line_torn_anywhere_is_skipped(tmp_path, keep):
    path = log(tmp_path, '20260101_000000', train(2, 1.5), train(4, 1.0))
    first, second = path.read_text().splitlines()
    path.write_text(first + '\n' + second[:keep])
    assert read_scalars(tmp_path)['loss'] == ([2], [1.5])


@pytest.mark.parametrize('line', ['{"loss": 1.', '[1, 2]', '{"loss": 1.0, "step": "two"}'])
def test_a_broken_line_before_the_last_is_an_error(tmp_path, line):
    path = log(tmp_path, '20260101_000000', train(4, 1.0))
    path.write_text(line + '\n' + path.read_text())
    with pytest.raises(ValueError, match=r'scalars\.json, line 1 '):
        read_scalars(tmp_path)


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f'{SVG}text')]


def stroke(svg, color):
    """Path data of the curve of this colour."""
    (data,) = [path.get('d') for path in ElementTree.fromstring(svg).iter(f'{SVG}path') if path.get('stroke') == color]
    return data


def test_chart_is_interrupted_at_values_that_are_not_finite():
    svg = line_chart({'a': ([1, 2, 3, 4, 5], [1, 2, math.nan, math.inf, 3])}, '', colors=dict(a='#111111'))
    assert stroke(svg, '#111111').count('M') == 2


@pytest.mark.parametrize('series', [{}, {'a': ([], [])}, {'a': ([1], [math.nan])}])
def test_chart_without_values_says_so(series):
    assert 'no finite values' in texts(line_chart(series, 'Empty'))


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
    root = ElementTree.fromstring(line_chart({'a': (steps, values)}, '', legend=False))
    labels = [element for element in root.iter(f'{SVG}text') if element.get('opacity') == '0.75']
    for anchor in ('end', 'middle'):
        numbers = [label.text for label in labels if label.get('text-anchor') == anchor]
        assert len(numbers) >= 2 and len(numbers) == len(set(numbers))
    points = list(root.iter(f'{SVG}circle'))
    assert len(points) == 2
    for point in points:
        assert 52 <= float(point.get('cx')) <= 704 and 38 <= float(point.get('cy')) <= 262


@pytest.mark.parametrize(
    'values, expected',
    [([0, 20000], {'0', '20k'}), ([-0.5, 0.5], {'\u22120.5', '0', '0.5'}), ([0.001, 0.003], {'0.001', '0.003'})],
)
def test_chart_writes_round_numbers(values, expected):
    assert expected <= set(texts(line_chart({'a': ([1, 2], values)}, '')))


def test_chart_escapes_names_and_can_leave_the_legend_out():
    name = '<b>&"\''
    svg = line_chart({name: ([1, 2], [1, 2])}, name, x_label=name, y_label=name)
    assert '<b>' not in svg and texts(svg).count(name) == 4
    assert name not in texts(line_chart({name: ([1, 2], [1, 2])}, '', legend=False))


def test_chart_refuses_a_curve_without_a_colour():
    with pytest.raises(ValueError, match='no colour'):
        line_chart({'a': ([1], [1.0])}, '', colors={'b': 'red'})
