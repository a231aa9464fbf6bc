"""Reading what a run logged, and drawing it."""

import json
import math
import xml.etree.ElementTree as ET

import pytest
from mmengine.visualization import LocalVisBackend

from mmuda.visualization import line_chart, read_scalars, series_colors

SVG = '{http://www.w3.org/2000/svg}'


def log(folder, *records) -> None:
    """Write scalars as a run does."""
    backend = LocalVisBackend(str(folder / 'vis_data'))
    for record in records:
        backend.add_scalars(record, step=record['step'])


def test_resumed_runs_are_merged(tmp_path):
    log(
        tmp_path / '20240101_000000',
        dict(loss=3.0, lr=0.1, iter=10, step=10),
        dict(loss=2.0, lr=0.1, iter=20, step=20),
        dict(loss=9.0, lr=0.1, iter=30, step=30),
    )
    log(
        tmp_path / '20240102_000000',
        dict(loss=1.0, lr=0.1, iter=30, step=30),
        dict(mIoU=float('nan'), time=5.0, step=30),
    )
    found = read_scalars(tmp_path)
    assert found['loss'] == ([10, 20, 30], [3.0, 2.0, 1.0])
    assert found['mIoU'][0] == [30] and math.isnan(found['mIoU'][1][0])
    assert set(found) == {'loss', 'lr', 'mIoU'}


def test_a_torn_last_line_is_left_out(tmp_path):
    log(tmp_path / '1', dict(loss=3.0, step=10))
    path = tmp_path / '1' / 'vis_data' / 'scalars.json'
    path.write_text(path.read_text() + '{"loss": 2.0, "st')
    assert read_scalars(tmp_path)['loss'] == ([10], [3.0])
    path.write_text(path.read_text() + '\n' + json.dumps(dict(loss=1.0, step=20)) + '\n')
    with pytest.raises(ValueError, match='scalars.json, line 2 is not JSON'):
        read_scalars(tmp_path)


def test_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        read_scalars(tmp_path)
    log(tmp_path / '1', dict(loss=3.0, step=10))
    path = tmp_path / '1' / 'vis_data' / 'scalars.json'
    path.write_text('{"loss": 1.0}\n')
    with pytest.raises(ValueError, match='line 1.*"step"'):
        read_scalars(tmp_path)
    with pytest.raises(ValueError, match="'a' has 2 steps and 1 values"):
        line_chart(dict(a=([1, 2], [1.0])), 'x')


def test_chart_is_a_drawing_of_the_values():
    chart = line_chart({'a<b': ([0, 10, 20], [0.0, 1.0, 0.5]), 'c': ([0, 20], [1.0, 1.0])}, 'T & U')
    root = ET.fromstring(chart)
    texts = [element.text for element in root.iter(f'{SVG}text')]
    assert {'T & U', 'a<b', 'c', 'iteration'} <= set(texts)
    colors = series_colors(['a<b', 'c'])
    dots = [
        (float(dot.get('cx')), float(dot.get('cy')))
        for group in root.iter(f'{SVG}g')
        if group.get('fill') == colors['a<b']
        for dot in group
    ]
    (x0, y0), (x1, y1), (x2, y2) = dots
    assert x0 < x1 < x2 and x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    # Up is small in SVG; 0.5 lies in the middle between 0 and 1.
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
    ],
)
def test_chart_of_odd_values(series):
    chart = line_chart(series, 'odd')
    ET.fromstring(chart)
    assert 'nan' not in chart and 'inf' not in chart and len(chart) < 40000


def test_long_curves_keep_their_peaks():
    values = [0.0] * 20000
    values[12345] = 7.0
    root = ET.fromstring(line_chart(dict(a=(list(range(20000)), values)), 'peak'))
    path = next(p.get('d') for p in root.iter(f'{SVG}path') if p.get('stroke-width') == '1.8')
    heights = {part.split()[1] for part in path.replace('M', ' L').split('L') if len(part.split()) > 1}
    assert len({height.removesuffix('h0') for height in heights}) == 2
