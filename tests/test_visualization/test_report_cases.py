"""The report: columns that come and go, marks, pictures of other sizes, hostile names."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from mmuda.visualization import RunSummary, Sample, heat, write_report

CLASSES = ('road', 'car', 'train')
PALETTE = [(128, 64, 128), (0, 0, 142), (0, 80, 100)]


class Page(HTMLParser):
    """Keeps tags, the cells of tables and pictures."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.images, self.cell = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        if tag == 'tr':
            self.rows.append([])
        if tag in ('td', 'th'):
            self.cell = ['', attrs.get('class', '').split()]
            self.rows[-1].append(self.cell)
        if tag == 'img':
            self.images.append(attrs)

    def handle_endtag(self, tag):
        if tag in ('td', 'th'):
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell[0] += data

    def row(self, name, nth=0):
        """Text of the cells of the nth row with this heading, and the places of those that are marked."""
        cells = [row for row in self.rows if row[0][0] == name][nth]
        return [text for text, _ in cells], [place for place, (_, kinds) in enumerate(cells) if 'best' in kinds]

    def picture(self, words):
        """The RGB pixels of the picture with this description."""
        (source,) = [image['src'] for image in self.images if image['alt'] == words]
        data = base64.b64decode(source.removeprefix('data:image/png;base64,'))
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def run(name, miou, iou, **kwargs):
    metrics = dict(
        protocols=dict(mIoU=miou), per_class=dict(IoU=dict(zip(CLASSES, iou, strict=False))), aAcc=80.0, num_images=3
    )
    return RunSummary(name, metrics, **kwargs)


def three_runs():
    return [
        run('Source', 30.0, (90.0, 10.0, None), curves=dict(mIoU=([10, 20], [20.0, 30.0]), loss_seg=([5], [1.0]))),
        run('AdaBN', 32.04, (88.0, 20.0, None)),
        run(
            'ADVENT',
            35.0,
            (80.0, 20.04, None),
            curves=dict(mIoU=([10, 20], [25.0, 35.0]), loss_seg=([5, 10], [1.0, 0.5]), loss_adv=([5], [0.7])),
        ),
    ]


def sample(size=(4, 8), runs=('Source', 'AdaBN', 'ADVENT'), name='street'):
    generator = np.random.default_rng(0)
    return Sample(
        name,
        generator.integers(0, 256, (*size, 3), dtype=np.uint8),
        generator.integers(0, 3, size, dtype=np.uint8),
        {run: generator.integers(0, 3, size, dtype=np.uint8) for run in runs},
        {run: generator.random(size, dtype=np.float32) for run in runs},
    )


def written(tmp_path, runs, samples=(), **kwargs):
    return write_report(tmp_path / 'r.html', 'Demo', runs, samples, CLASSES, PALETTE, **kwargs).read_text('utf-8')


def test_headline_differences_and_marks(tmp_path):
    page = Page(written(tmp_path, three_runs()))
    assert [text for text, _ in page.rows[1]] == ['%', 'vs Source', 'vs AdaBN', '%']
    assert page.row('Source') == (['Source', '30.0', '', '\u22122.0', '80.0'], [4])
    assert page.row('AdaBN') == (['AdaBN', '32.0', '+2.0', '', '80.0'], [4])
    assert page.row('ADVENT') == (['ADVENT', '35.0', '+5.0', '+3.0', '80.0'], [1, 4])


def test_headline_has_only_the_references_that_there_are(tmp_path):
    source, adabn, advent = three_runs()
    assert Page(written(tmp_path, [source, advent])).row('ADVENT')[0] == ['ADVENT', '35.0', '+5.0', '80.0']
    assert Page(written(tmp_path, [adabn, advent])).row('ADVENT')[0] == ['ADVENT', '35.0', '+3.0', '80.0']
    assert Page(written(tmp_path, [adabn])).row('AdaBN') == (['AdaBN', '32.0', '80.0'], [])


def test_protocols_that_only_some_runs_have_are_dashes_elsewhere(tmp_path):
    runs = three_runs()
    runs[2].metrics['protocols']['mIoU16'] = 40.0
    page = Page(written(tmp_path, runs))
    assert page.row('ADVENT')[0] == ['ADVENT', '35.0', '+5.0', '+3.0', '80.0', '40.0', '\u2013', '\u2013']
    assert page.row('AdaBN')[0][5] == '\u2013'


def test_class_table_marks_what_looks_best_and_shades_by_value(tmp_path):
    text = written(tmp_path, three_runs())
    page = Page(text)
    assert page.row('road') == (['road', '90.0', '88.0', '80.0', '\u22128.0'], [1])
    # What looks equal is equally good.
    assert page.row('car') == (['car', '10.0', '20.0', '20.0', '\u00b10.0'], [2, 3])
    assert page.row('train') == (['train', '\u2013', '\u2013', '\u2013', '\u2013'], [])
    shades = [float(shade) for shade in re.findall(r'<td class="num iou[^"]*" style="--share:([\d.]+)">', text)]
    assert shades == pytest.approx([0.9, 0.88, 0.8, 0.1, 0.2, 0.2], abs=1e-3)


def test_the_last_column_of_the_classes_shows_where_the_last_run_gains(tmp_path):
    def gains(runs):
        text = written(tmp_path, runs)
        head = re.findall(r'<th class="gain"[^>]*>([^<]*)<', text)
        bars = re.findall(r'<td class="gain (\w*)" style="--share:([-\d.]+)"><span>([^<]*)', text)
        return head, [(kind, float(share), number) for kind, share, number in bars]

    source, adabn, advent = three_runs()
    assert gains([source, adabn, advent]) == (
        ['ADVENT vs AdaBN'],
        [('down', -1.0, '\u22128.0'), ('', 0.0, '\u00b10.0')],
    )
    assert gains([source, advent]) == (['ADVENT vs Source'], [('down', -1.0, '\u221210.0'), ('up', 1.0, '+10.0')])
    assert gains([source, adabn])[0] == ['AdaBN vs Source']
    assert gains([advent]) == ([], [])


@pytest.mark.parametrize(
    'means, winner, number, gains',
    [
        ((30.0, 32.04, 35.0), 'ADVENT, best of 3 runs', '35.0', [('up', '+5.0', 'Source'), ('up', '+3.0', 'AdaBN')]),
        ((30.0, 35.04, 35.0), 'AdaBN and ADVENT, best of 3 runs', '35.0', [('up', '+5.0', 'Source')]),
        ((36.0, 32.0, 35.0), 'Source, best of 3 runs', '36.0', [('up', '+4.0', 'AdaBN')]),
        ((None, 32.0, 35.0), 'ADVENT, best of 2 runs', '35.0', [('up', '+3.0', 'AdaBN')]),
        ((0.0, 0.0, 0.0), 'Source and AdaBN and ADVENT, best of 3 runs', '0.0', []),
    ],
)
def test_the_verdict_names_the_best_run_and_its_gains(tmp_path, means, winner, number, gains):
    runs = [run(name, mean, ()) for name, mean in zip(('Source', 'AdaBN', 'ADVENT'), means, strict=True)]
    # All runs need some number; most of them have one for mIoU.
    runs[0].metrics['protocols'] = dict(other=90.0, mIoU=means[0])
    text = written(tmp_path, runs)
    assert re.search(r'<p class="winner">([^<]*)<', text)[1] == winner
    assert re.search(r'<p class="number">([\d.]*)<span class="unit">% mIoU<', text)[1] == number
    assert re.findall(r'<li><b class="(\w*)">([^<]*)</b> over ([^<]*)</li>', text) == gains


def test_bars_start_at_zero_and_end_at_the_highest_number(tmp_path):
    runs = three_runs()
    runs[2].metrics['paper'] = dict(name='ADVENT (Vu et al. 2019)', per_class={}, means=dict(mIoU=40.0))
    text = written(tmp_path, runs)
    bars = [float(share) for share in re.findall(r'<span class="bar" style="--share:([\d.]+)">', text)]
    assert bars == pytest.approx([30 / 40, 32.04 / 40, 35 / 40], abs=1e-3)
    assert re.findall(r'<span class="mark" style="--share:([\d.]+)" title="([^"]*)">', text) == [
        ('1.000', 'paper: 40.0')
    ]
    assert 'class="mark"' not in written(tmp_path, three_runs())


def test_figures_of_papers_stand_beside_ours(tmp_path):
    runs = three_runs()
    runs[2].metrics['protocols']['mIoU16'] = 40.0
    runs[2].metrics['paper'] = dict(
        name='ADVENT (Vu et al. 2019)', per_class=dict(road=89.4, train=1.7), means=dict(mIoU=45.5)
    )
    page = Page(written(tmp_path, runs))
    assert [text for text, _ in page.rows[1]] == [
        *('%', 'vs Source', 'vs AdaBN', 'paper'), '%', *('%', 'vs Source', 'vs AdaBN')]  # fmt: skip
    assert page.row('ADVENT') == (
        ['ADVENT', '35.0', '+5.0', '+3.0', '45.5', '80.0', '40.0', '\u2013', '\u2013'],
        [1, 5, 6],
    )
    assert page.row('Source')[0][4] == ''
    assert page.row('Class')[0] == ['Class', 'Source', 'AdaBN', 'ADVENT', 'ADVENT (Vu et al. 2019)', 'ADVENT vs AdaBN']
    # A figure of a paper is never the best of our runs.
    assert page.row('road') == (['road', '90.0', '88.0', '80.0', '89.4', '\u22128.0'], [1])
    assert page.row('car')[0][4] == '\u2013' and page.row('train')[0][4] == '1.7'


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
    # What scrolls can be reached and has a name.
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
    with pytest.raises(ValueError, match='3 classes need as many colours, the palette has 2'):
        write_report(tmp_path / 'r.html', 'Demo', three_runs(), [], CLASSES, PALETTE[:2])


@pytest.mark.parametrize(
    'broken, words',
    [
        (Sample('s', np.zeros((4, 8), np.uint8), np.zeros((4, 8), np.uint8), {}), "'s' must be"),
        (Sample('s', np.zeros((4, 8, 3), np.uint8), np.zeros((2, 8), np.uint8), {}), 'ground truth has'),
    ],
)
def test_broken_samples_are_refused(tmp_path, broken, words):
    with pytest.raises(ValueError, match=words):
        written(tmp_path, three_runs(), [broken])
