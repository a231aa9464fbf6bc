"""The HTML report: whole, self-contained, true to its numbers."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import mmuda.visualization
from mmuda.evaluation import DomainIoUMetric
from mmuda.visualization import RunSummary, Sample, colorize, write_report

CLASSES = ['road', 'car', 'sky']
PALETTE = [(128, 64, 128), (0, 0, 142), (70, 130, 180)]
RUNS = ['source-only', 'AdaBN', 'AdvEnt']


class Page(HTMLParser):
    """Tags, text and rows of cells of a page; complains about tags that do not match."""

    VOID = {'meta', 'img'}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.images, self.text, self.rows, self.links, self.ids = [], [], [], [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == 'img':
            self.images.append(attrs)
        if tag == 'tr':
            self.rows.append([])
        if tag in ('td', 'th') and self.rows:
            self.rows[-1].append(['', attrs.get('class', '')])
        self.links += [attrs[key] for key in ('src', 'href', 'xlink:href') if key in attrs]
        self.ids += [attrs['id']] if 'id' in attrs else []

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if 'style' not in self.open:
            self.text.append(data)
        if self.rows and {'td', 'th'} & set(self.open):
            self.rows[-1][-1][0] += data

    def cells(self, first: str):
        """Rows that begin with a text."""
        return [[text for text, _ in row] for row in self.rows if row and row[0][0] == first]


@pytest.fixture
def runs(tmp_path):
    """Three runs measured by the metric; 'sky' never occurs."""
    found = []
    for number, name in enumerate(RUNS):
        metric = DomainIoUMetric(protocols=('mIoU', dict(two=['road', 'car'])), json_file=str(tmp_path / 'm.json'))
        metric.dataset_meta = dict(classes=CLASSES)
        label = torch.arange(100).view(10, 10) % 2
        prediction = label.clone()
        prediction[: 4 - number] = 0
        metric.process(None, [dict(pred_sem_seg=dict(data=prediction), gt_sem_seg=dict(data=label))])
        metric.evaluate(1)
        curves = {'mIoU': ([10, 20], [30.0, 40.0 + number]), 'loss_ce': ([5, 10], [2.0, 1.0]), 'lr': ([5], [0.1])}
        found.append(RunSummary(name, json.loads((tmp_path / 'm.json').read_text()), curves, note=f'note <{number}>'))
    return found


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, (6, 8), dtype=np.uint8)
    label[0, 0] = 255
    return [
        Sample(
            f'town & {index}',
            rng.integers(0, 256, (6, 8, 3), dtype=np.uint8),
            label,
            {name: np.full((6, 8), place, np.uint8) for place, name in enumerate(RUNS)},
            {name: rng.random((6, 8), dtype=np.float32) for name in RUNS},
        )
        for index in range(2)
    ]


def decode(image: dict) -> np.ndarray:
    data = base64.b64decode(image['src'].removeprefix('data:image/png;base64,'), validate=True)
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def test_report_says_what_was_measured(tmp_path, runs, samples):
    path = write_report(tmp_path / 'new' / 'report.html', 'Demo <1>', runs, samples, CLASSES, PALETTE, 'A & B')
    html = path.read_text(encoding='utf-8')
    page = Page(html)
    # The style is inside, as it stands beside the template.
    style = (Path(mmuda.visualization.__file__).parent / 'templates' / 'report.css').read_text(encoding='utf-8')
    assert style.strip() in html and 'prefers-color-scheme: dark' in style and '@media print' in style
    anchors = [link[1:] for link in page.links if link.startswith('#')]
    assert anchors and all(link.startswith(('data:image/png;base64,', '#')) for link in page.links)
    assert len(page.ids) == len(set(page.ids)) and set(anchors) <= set(page.ids)
    assert not re.search(r'<script|@import|url\((?!#)|https?://(?!www\.w3\.org/(2000/svg|1999/xlink)")', html)
    assert 'Demo &lt;1&gt;' in html and 'A &amp; B' in html and 'note &lt;2&gt;' in html
    assert [file.name for file in path.parent.iterdir()] == ['report.html']

    means = [run.metrics['metrics']['mIoU'] for run in runs]
    advent = page.cells('AdvEnt')[0]
    assert advent[1] == f'{means[2]:.1f}'
    assert advent[2] == f'+{means[2] - means[0]:.1f}' and advent[3] == f'+{means[2] - means[1]:.1f}'
    car = page.cells('car')[0]
    ious = [run.metrics['per_class']['IoU']['car'] for run in runs]
    assert car[1:] == [*(f'{iou:.1f}' for iou in ious), f'+{ious[2] - ious[1]:.1f}']
    best = [['best' in kind for _, kind in row] for row in page.rows if row and row[0][0] == 'car'][0]
    assert best == [False, False, False, True, False]
    assert page.cells('sky')[0][1:] == ['\u2013'] * 4

    text = ''.join(page.text)
    assert 'Validation mIoU' in text and 'loss_ce' in text and '>lr<' not in html
    shown = [decode(image) for image in page.images if 'ramp' not in image['class']]
    assert len(shown) == 2 * (2 + len(RUNS) + 1)
    np.testing.assert_array_equal(shown[0], samples[0].image)
    np.testing.assert_array_equal(shown[1], colorize(samples[0].ground_truth, PALETTE))
    for place, name in enumerate(RUNS):
        np.testing.assert_array_equal(shown[2 + place], colorize(samples[0].predictions[name], PALETTE))


def test_report_of_one_run_without_pictures(tmp_path, runs):
    run = RunSummary('alone', runs[0].metrics)
    page = Page(write_report(tmp_path / 'r.html', 'One', [run], [], CLASSES, PALETTE).read_text(encoding='utf-8'))
    assert not page.images and page.cells('alone')
    words = ' '.join(page.text).split()
    assert 'alone' in words and not {'vs', 'best'} & set(words)


def test_equal_records_give_equal_bytes(tmp_path, runs, samples):
    pages = [write_report(tmp_path / name, 'T', runs, samples, CLASSES, PALETTE).read_bytes() for name in 'ab']
    assert pages[0] == pages[1]


def test_report_replaces_a_file_only_by_a_whole_one(tmp_path, runs, samples, monkeypatch):
    path = tmp_path / 'r.html'
    path.write_text('old')
    monkeypatch.setattr('os.replace', lambda *args: (_ for _ in ()).throw(OSError('disk full')))
    with pytest.raises(OSError, match='disk full'):
        write_report(path, 'T', runs, samples, CLASSES, PALETTE)
    assert [file.name for file in tmp_path.glob('*r.html*')] == ['r.html'] and path.read_text() == 'old'


@pytest.mark.parametrize(
    'change,message',
    [
        (lambda runs, samples: runs.clear(), 'at least one run'),
        (lambda runs, samples: runs.append(runs[0]), 'more than once.*source-only'),
        (lambda runs, samples: samples[0].predictions.update(other=samples[0].ground_truth), "'other'"),
        (lambda runs, samples: samples[0].predictions.update(AdaBN=np.zeros((3, 3), np.uint8)), r"'AdaBN'.*\(3, 3\)"),
        (lambda runs, samples: runs[0].metrics['per_class']['IoU'].update(boat=1.0), 'boat'),
        (lambda runs, samples: runs[1].metrics['protocols'].clear(), "'AdaBN'.*DomainIoUMetric"),
        (lambda runs, samples: samples[0].entropies.update(AdvEnt=np.full((6, 8), 2.0)), r'\[0, 1\]'),
    ],
)
def test_report_refuses_what_does_not_belong_together(tmp_path, runs, samples, change, message):
    change(runs, samples)
    with pytest.raises(ValueError, match=message):
        write_report(tmp_path / 'r.html', 'T', runs, samples, CLASSES, PALETTE)
    assert not (tmp_path / 'r.html').exists()
