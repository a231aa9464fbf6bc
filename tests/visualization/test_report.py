"""The HTML report: complete, self-contained, with correct numbers."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from pages import CLASSES, PALETTE, Page, decode, run, sample, three_runs, written

import mmuda.visualization
from mmuda.evaluation import DomainIoUMetric
from mmuda.visualization import RunSummary, Sample, colorize, heat, write_report

RUNS = ['source-only', 'AdaBN', 'AdvEnt']


@pytest.fixture
def runs(tmp_path):
    """Return three runs evaluated by the metric; the class 'train' never occurs."""
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


def test_report_says_what_was_measured(tmp_path, runs, samples):
    path = write_report(tmp_path / 'new' / 'report.html', 'Demo <1>', runs, samples, CLASSES, PALETTE, 'A & B')
    html = path.read_text(encoding='utf-8')
    page = Page(html)
    # The page contains the style of the file beside the template.
    style = (Path(mmuda.visualization.__file__).parent / 'templates' / 'report.css').read_text(encoding='utf-8')
    assert style.strip() in html and 'prefers-color-scheme: dark' in style and '@media print' in style
    anchors = [link[1:] for link in page.links if link.startswith('#')]
    assert anchors and all(link.startswith(('data:image/png;base64,', '#')) for link in page.links)
    assert len(page.ids) == len(set(page.ids)) and set(anchors) <= set(page.ids)
    assert not re.search(r'<script|@import|url\((?!#)|https?://(?!www\.w3\.org/(2000/svg|1999/xlink)")', html)
    assert 'Demo &lt;1&gt;' in html and 'A &amp; B' in html and 'note &lt;2&gt;' in html
    assert [file.name for file in path.parent.iterdir()] == ['report.html']

    means = [run.metrics['metrics']['mIoU'] for run in runs]
    advent = page.row('AdvEnt')[0]
    assert advent[1] == f'{means[2]:.1f}'
    assert advent[2] == f'+{means[2] - means[0]:.1f}' and advent[3] == f'+{means[2] - means[1]:.1f}'
    car, best = page.row('car')
    ious = [run.metrics['per_class']['IoU']['car'] for run in runs]
    assert car[1:] == [*(f'{iou:.1f}' for iou in ious), f'+{ious[2] - ious[1]:.1f}']
    assert best == [3]
    assert page.row('train')[0][1:] == ['\u2013'] * 4

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
    assert not page.images and page.row('alone')
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


def test_each_loss_has_a_chart_with_the_runs_that_have_it(tmp_path):
    text = written(tmp_path, three_runs())
    found = re.findall(r'<figcaption>([^<]*)</figcaption>(<svg[^>]*aria-label="([^"]*)".*?</svg>)', text, re.S)
    charts = {caption: chart for caption, chart, _ in found}
    assert [(caption, label) for caption, _, label in found] == [
        ('Validation mIoU, percent', 'Validation mIoU, percent; last values: Source 30, ADVENT 35'),
        ('loss_seg', 'loss_seg; last values: Source 1, ADVENT 0.5'),
        ('loss_adv', 'loss_adv; last values: ADVENT 0.7'),
    ]
    assert '<title>Source, 20: 30</title>' in charts['Validation mIoU, percent']
    assert '<title>ADVENT, 20: 35</title>' in charts['Validation mIoU, percent']
    assert 'Source' in charts['loss_seg'] and 'Source' not in charts['loss_adv']
    assert 'running mean' not in text


def test_long_losses_are_explained(tmp_path):
    runs = three_runs()
    runs[0].curves['loss_long'] = (list(range(300)), [1.0] * 300)
    assert 'running mean' in written(tmp_path, runs)


def test_every_picture_can_be_enlarged_and_described_without_a_pointer(tmp_path):
    text = written(tmp_path, three_runs(), [sample(), sample(runs=('ADVENT',), name='square')])
    figures = re.findall(r'<figure id="([^"]*)">(.*?)</figure>', text, re.S)
    assert len(figures) == 2 * 6
    for place, (name, figure) in enumerate(figures):
        first = place // 6 * 6
        before, after = (figures[first + (place + step) % 6][0] for step in (-1, 1))
        row = f'sample-{place // 6 + 1}'
        wanted = [before, after, row] if 'class="missing"' in figure else [name, before, after, row]
        assert re.findall(r'href="#([^"]*)"', figure) == wanted
        assert f'id="{row}"' in text
    assert all(image['alt'] for image in Page(text).images)
    # Scrolling regions can be focused and have a name.
    regions = re.findall(r'<div class="scroll" ([^>]*)>', text)
    assert len(regions) == 2 and all('tabindex="0"' in region and 'aria-label="' in region for region in regions)


def test_missing_pictures_leave_a_gap_and_missing_entropies_no_column(tmp_path):
    text = written(tmp_path, three_runs(), [sample(runs=('Source',))])
    assert [image['alt'] for image in Page(text).images] == [
        'street: image',
        'street: ground truth',
        'street: prediction of Source',
    ]
    assert text.count('class="missing"') == 2 and '--columns:5' in text


def test_the_entropy_is_that_of_the_last_run(tmp_path):
    street = sample()
    page = Page(written(tmp_path, three_runs(), [street]))
    np.testing.assert_array_equal(page.picture('street: entropy of ADVENT'), heat(street.entropies['ADVENT']))
    assert [image['class'] for image in page.images] == ['ramp'] + ['crisp'] * 6


def test_large_pictures_are_embedded_smaller_and_keep_their_colours(tmp_path):
    page = Page(written(tmp_path, three_runs(), [sample(size=(100, 1280))]))
    assert page.picture('street: image').shape == (50, 640, 3)
    label = page.picture('street: prediction of AdaBN')
    assert {tuple(color) for color in label.reshape(-1, 3).tolist()} == set(PALETTE)
    assert [image['class'] for image in page.images] == ['ramp'] + [''] * 6


def test_everything_from_names_is_escaped(tmp_path):
    evil = '<script>"\'&'
    summary = run(evil, 30.0, (), note=evil, curves={'loss' + evil: ([1, 2], [1.0, 2.0])})
    summary.metrics['protocols'][evil] = 3.0
    summary.metrics['per_class']['IoU'] = {evil: 5.0}
    text = write_report(
        tmp_path / 'r.html',
        evil,
        [summary, run('b', 1.0, ())],
        [sample(runs=(evil,), name=evil)],
        [evil, 'b', 'c'],
        PALETTE,
        note=evil,
    ).read_text('utf-8')
    page = Page(text)
    assert '<script' not in text and 'script' not in page.tags
    assert page.row(evil, nth=1)[0] == [evil, '5.0', '\u2013', '\u2013']
    assert page.images[0]['alt'] == f'{evil}: image'


def test_notes_stand_below_the_table_in_paragraphs(tmp_path):
    runs = three_runs()
    runs[1].note = 'no training'
    text = written(tmp_path, runs, note='First.\n\nSecond.')
    assert text.index('</table>') < text.index('<p>First.</p>\n<p>Second.</p>') < text.index('no training')


def test_palette_must_have_a_colour_for_each_class(tmp_path):
    with pytest.raises(ValueError, match='3 classes need as many colours, but the palette has 2'):
        write_report(tmp_path / 'r.html', 'Demo', three_runs(), [], CLASSES, PALETTE[:2])
