"""Tables of a report: optional columns, marks, shades, figures of papers."""

import re

import pytest
from pages import Page, run, three_runs, written


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
    # Values that are equal after rounding are equally good.
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
        ((30.0, 32.04, 35.0), 'ADVENT, best of 3 results', '35.0', [('up', '+5.0', 'Source'), ('up', '+3.0', 'AdaBN')]),
        ((30.0, 35.04, 35.0), 'AdaBN and ADVENT, best of 3 results', '35.0', [('up', '+5.0', 'Source')]),
        ((36.0, 32.0, 35.0), 'Source, best of 3 results', '36.0', [('up', '+4.0', 'AdaBN')]),
        ((None, 32.0, 35.0), 'ADVENT, best of 2 results', '35.0', [('up', '+3.0', 'AdaBN')]),
        ((0.0, 0.0, 0.0), 'Source and AdaBN and ADVENT, best of 3 results', '0.0', []),
    ],
)
def test_the_verdict_names_the_best_run_and_its_gains(tmp_path, means, winner, number, gains):
    runs = [run(name, mean, ()) for name, mean in zip(('Source', 'AdaBN', 'ADVENT'), means, strict=True)]
    # All runs have some score, but only most of them have mIoU.
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
    # A figure of a paper is never marked as the best.
    assert page.row('road') == (['road', '90.0', '88.0', '80.0', '89.4', '\u22128.0'], [1])
    assert page.row('car')[0][4] == '\u2013' and page.row('train')[0][4] == '1.7'


def runs_of_two_statistics(*statistics: str):
    """Return runs of a baseline and of a method, each with one of the statistics."""
    means = dict(base=(15.1, 15.9), dacs=(17.1, 16.4))
    return [
        run(
            f'{name}{", target statistics" * (which == "target")}',
            means[name][which == 'target'],
            (means[name][which == 'target'],),
            baseline=name == 'base',
            statistics=which,
        )
        for name, which in (one.split() for one in statistics)
    ]


def test_results_of_different_statistics_are_never_subtracted(tmp_path):
    text = written(tmp_path, runs_of_two_statistics('base stored', 'base target', 'dacs stored', 'dacs target'))
    page = Page(text)
    assert [text for text, _ in page.rows[1]] == ['%', 'vs base', 'vs base, target statistics', '%']
    assert page.row('base')[0] == ['base', '15.1', '', '', '80.0']
    assert page.row('base, target statistics')[0][1:4] == ['15.9', '', '']
    assert page.row('dacs')[0][1:4] == ['17.1', '+2.0', '']
    assert page.row('dacs, target statistics')[0][1:4] == ['16.4', '', '+0.5']
    assert re.search(r'<p class="winner">([^<]*)<', text)[1] == 'dacs, best of 4 results'
    assert re.findall(r'</b> over ([^<]*)</li>', text) == ['base']
    assert re.findall(r'<th class="gain"[^>]*>([^<]*)<', text) == ['dacs, target statistics vs base, target statistics']


def test_without_a_result_of_the_same_statistics_there_is_no_gain(tmp_path):
    text = written(tmp_path, runs_of_two_statistics('base target', 'dacs stored'))
    assert [text for text, _ in Page(text).rows[1]] == ['%', '%']
    assert '</b> over ' not in text and 'class="gain"' not in text
    text = written(tmp_path, runs_of_two_statistics('base stored', 'dacs stored', 'dacs target'))
    assert [text for text, _ in Page(text).rows[1]] == ['%', 'vs base', '%']
    assert re.findall(r'<th class="gain"[^>]*>([^<]*)<', text) == ['dacs vs base']


def test_without_baselines_the_first_run_of_each_statistics_is_the_reference(tmp_path):
    runs = runs_of_two_statistics('base stored', 'base target', 'dacs stored', 'dacs target')
    for one in runs:
        one.baseline = False
    page = Page(written(tmp_path, runs))
    assert [text for text, _ in page.rows[1]] == ['%', 'vs base', 'vs base, target statistics', '%']


def test_an_oracle_is_never_the_best(tmp_path):
    runs = three_runs()
    runs[-1].oracle = True
    page = Page(text := written(tmp_path, runs))
    assert 'AdaBN, best of 2 results' in re.sub('<[^>]*>', '', text)
    assert not page.row('ADVENT')[1] and page.row('AdaBN')[1]
    assert 'ADVENT vs' not in ''.join(page.text)
    for one in runs:
        one.oracle = True
    assert 'ADVENT, best of 3 results' in re.sub('<[^>]*>', '', written(tmp_path, runs))
