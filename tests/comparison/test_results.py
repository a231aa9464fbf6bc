"""Means, standard deviations and gains over baselines; tables, report and metafiles with them."""

import json

import pytest
import yaml
from compared import CLASSES, tiny_runs, write_result
from pages import Page

from mmuda.comparison import RunLedger, comparison_text, gather, record, write_comparison_report
from mmuda.comparison.report import short_names
from mmuda.machine import machine_name
from mmuda.readme import BEGIN, END

SCORES = {
    'source_only': dict(stored=[20.0, 22.0], target=[30.0, 32.0]),
    'adabn': dict(stored=[28.0, 29.0], target=[29.0, 30.0]),
    'advent': dict(stored=[31.0, 36.0], target=[33.0, 37.0]),
}


@pytest.fixture
def tested(minicity, tmp_path):
    """Return runs with written results and their ledger."""
    runs = tiny_runs(minicity, tmp_path, *SCORES)
    ledger = RunLedger(tmp_path)
    for run in runs:
        ledger.begin(run, 'abc123')
        run.folder.mkdir(parents=True)
        (run.folder / 'iter_6.pth').touch()
        ledger.add_costs(run, 50.0 + 10 * run.seed, dict(process=500.0, gpu=900.0 + run.seed))
        ledger.finish(run)
        for statistics, scores in SCORES[run.method.name.split('/')[0]].items():
            write_result(run, statistics, scores[run.seed])
            ledger.tested(run, statistics)
    return runs, ledger


def results_of(tested, statistics=('stored', 'target'), **kwargs):
    return gather(*tested, statistics, **kwargs)


def test_worth_is_a_difference_seed_by_seed(tested):
    found = results_of(tested).as_dict()
    assert found['measure'] == 'mIoU' and found['num_images'] == 5 and found['notes'] == []
    assert found['source_only'] == 'source_only/minicity'
    assert found['best_baseline'] == 'source_only/minicity, target statistics', (
        'its mean is 31.5, those of AdaBN are 29 and 30'
    )
    readings = {(one['method'], one['statistics']): one for one in found['readings']}
    advent = readings['advent/minicity', 'target']
    assert advent['metrics']['mIoU'] == dict(mean=35.5, deviation=pytest.approx(8**0.5), values=[33.5, 37.5])
    assert advent['over_source_only'] == dict(mean=14.0, deviation=pytest.approx(2**0.5)), 'mean of 13 and 15'
    assert advent['over_best_baseline'] == dict(mean=4.0, deviation=pytest.approx(2**0.5)), 'mean of 3 and 5'
    assert advent['per_class']['road'] == dict(mean=35.0, deviation=pytest.approx(8**0.5))
    assert advent['per_class']['car'] == dict(mean=None, deviation=None)
    assert advent['seconds'] == [50.0, 60.0] and advent['iterations'] == [6, 6] and advent['commits'] == ['abc123'] * 2
    source = readings['source_only/minicity', 'stored']
    assert source['over_source_only'] is None and source['over_best_baseline']['mean'] == -10.0
    json.dumps(found, allow_nan=False)


def test_with_the_statistics_of_training_alone_adabn_is_the_best_baseline(tested):
    results = results_of(tested, ('stored',))
    assert results.best_baseline.name == 'adabn/minicity' and len(results.readings) == 3


def test_one_seed_has_no_deviation(tested):
    runs, ledger = tested
    text = comparison_text(gather(runs[:3], ledger, ('stored',)))
    (line,) = [line for line in text.splitlines() if 'advent/minicity' in line and '|' in line]
    assert [cell.strip() for cell in line.strip('|').split('|')] == [
        *('3', 'advent/minicity', 'stored', '0', '31.5', '60.0', '+11.0', '+3.0', '6', '50', '900 (GPU)')
    ]


def test_tables_for_terminals_and_in_markdown(tested):
    results = results_of(tested, notes=['they differ'])
    text, markdown = comparison_text(results), comparison_text(results, markdown=True)
    row = '| 6 | advent/minicity | target | 0, 1 | 35.5 ± 2.8 | 60.0 ± 0.0 | +14.0 ± 1.4 | +4.0 ± 1.4 |'
    assert row in markdown
    assert '| road | 21.0 | 31.0 | 28.5 | 29.5 | 33.5 | 35.0 |' in markdown and '| car | - | - |' in markdown
    assert 'The best baseline is source_only/minicity, target statistics;' in text and 'Note: they differ' in text
    assert len({len(line) for line in text.splitlines() if line.startswith(('|', '+'))}) == 2, (
        'two tables, so two widths of lines'
    )


def test_the_protocol_that_configs_name_is_the_measure(tested):
    runs, ledger = tested
    for run in runs:
        score = SCORES[run.method.name.split('/')[0]]['stored'][run.seed]
        metrics = dict(mIoU=score, mIoU13=100 - score, aAcc=60.0)
        write_result(run, 'stored', score, metrics=metrics, protocols=dict(mIoU=CLASSES, mIoU13=CLASSES[:2]))
    results = gather(runs, ledger, ('stored',))
    assert results.measure == 'mIoU13' and results.best_baseline.name == 'source_only/minicity'
    assert gather(runs, ledger, ('stored',), 'mIoU').best_baseline.name == 'adabn/minicity'
    with pytest.raises(ValueError, match="have no 'mIoU16' in common; they have mIoU, mIoU13"):
        gather(runs, ledger, ('stored',), 'mIoU16')


def test_results_on_other_images_are_not_compared(tested):
    runs, ledger = tested
    write_result(runs[1], 'stored', 28.0, num_images=4)
    with pytest.raises(ValueError, match='adabn/minicity was tested on num_images 4, source_only/minicity on 5'):
        gather(runs, ledger, ('stored',))


def test_without_results_there_is_nothing_to_compare(minicity, tmp_path):
    with pytest.raises(ValueError, match='no run was trained and tested'):
        gather(tiny_runs(minicity, tmp_path, 'adabn'), RunLedger(tmp_path), ('stored',))


def test_without_source_only_a_note_says_so(tested):
    runs, ledger = tested
    results = gather([run for run in runs if not run.method.is_source_only], ledger, ('stored',))
    assert results.source_only is None and results.best_baseline.name == 'adabn/minicity'
    assert any('there is no source-only method' in note for note in results.notes)


def test_trainings_from_other_folders_get_a_note(tested):
    runs, ledger = tested
    place = 'train_dataloader.dataset.source'
    (here,) = ledger.entry(runs[0])['roots'][place]
    ledger.entries[runs[2].name]['roots'][place] = ['/elsewhere']
    names = [run.name for run in runs if run is not runs[2]]
    (note,) = results_of(tested).notes
    assert note == (
        f'the trainings read {place} from different folders, which may hold different data: '
        f'{here} ({", ".join(names)}); /elsewhere ({runs[2].name})'
    )
    notes = gather(runs[:2], ledger, ('stored',)).notes
    assert not any('folder' in note for note in notes), 'no note if the run with another folder is left out'
    assert notes == [
        'there are no results with statistics of the target, a baseline without any method: add target to --batch-norm'
    ]
    del ledger.entries[runs[2].name]['roots']
    assert results_of(tested).notes == [], 'entries of earlier versions have no folders'


def test_an_ensemble_that_is_not_tested_gets_a_note(tested):
    runs, _ = tested
    runs[2].method.cfg.test_ensemble = dict(type='LogitEnsemble', weights=[1, 1])
    assert results_of(tested).notes == [
        'advent/minicity is tested with its last network alone, without the test_ensemble of its config'
    ]


def test_a_report_shows_the_worth(tested, tmp_path):
    runs, ledger = tested
    for run in runs:  # the report uses the class names of the data set
        path = run.result_file('stored')
        content = json.loads(path.read_text())
        content['per_class']['IoU'] = dict(road=50.0, sky=60.0, car=None)
        path.write_text(json.dumps(content))
    path = write_comparison_report(tmp_path / 'report.html', results_of(tested), runs, ledger, pictures=0)
    text = path.read_text()
    page = Page(text)
    assert 'Comparison of 3 methods: minicity' in page.text
    assert [text for text, _ in page.rows[1]][1:3] == ['vs source_only', 'vs source_only, target statistics']
    assert page.row('adabn')[0][1] and page.row('advent, target statistics')[0][1]
    assert '+14.0' in text and '35.5 \u00b1 2.8: 33.5 (seed 0), 37.5 (seed 1)' in text


@pytest.mark.parametrize(
    'names, shared, short',
    [
        (['dacs/minicity', 'mic/minicity'], 'minicity', ['dacs', 'mic']),
        (
            ['source_only/car2cam', 'source_only/car2cam_oracle', 'dacs/car2cam'],
            'car2cam',
            ['source_only', 'source_only_oracle', 'dacs'],
        ),
        (['dacs/gta2city', 'dacs/gta2city_clean'], 'gta2city', ['dacs', 'dacs_clean']),
        (['dacs/gta2city', 'dacs/minicity'], '', ['dacs/gta2city', 'dacs/minicity']),
        (['dacs/a_b', 'dacs_b/a'], '', ['dacs/a_b', 'dacs_b/a']),
        (['dacs/minicity'], 'minicity', ['dacs']),
    ],
)
def test_what_all_names_share_is_left_out(names, shared, short):
    assert short_names(names) == (shared, dict(zip(names, short, strict=True)))


def test_results_go_into_metafiles_and_readmes(tested, tmp_path):
    runs, _ = tested
    for run in runs:
        method = run.method
        method.path = tmp_path / 'zoo' / method.path.parent.name / 'minicity.py'
        method.path.parent.mkdir(parents=True, exist_ok=True)
        earlier = [dict(Source='ours', Dataset='MiniCity val', Seeds=[9], Metrics=dict(mIoU=[1.0]), Remark='old')]
        models = [{'Name': method.name, 'Config': f'zoo/{method.name}.py', 'Results': earlier}]
        (method.path.parent / 'metafile.yml').write_text(yaml.safe_dump(dict(Collections=[], Models=models)))
        (method.path.parent / 'README.md').write_text(f'# A\n\n{BEGIN}\n{END}\nrest\n')
    folders = record(results_of(tested), other_seeds='lose')
    assert [folder.name for folder in folders] == list(SCORES)
    content = (folders[2] / 'metafile.yml').read_text()
    assert content.endswith(
        '  Results:\n'
        '  - Source: ours\n'
        '    Dataset: MiniCity val\n'
        '    Seeds: [0, 1]\n'
        '    Metrics: {mIoU: [31.5, 36.5]}\n'
        '    Target Statistics: {mIoU: [33.5, 37.5]}\n'
        f'    Commit: abc123\n    Machine: {machine_name()}\n'
    )
    row = (
        '| minicity | mIoU, MiniCity val | - | 31.5, 36.5: 34.0 \u00b1 3.5 (seeds 0, 1) '
        '| 33.5, 37.5: 35.5 \u00b1 2.8 (seeds 0, 1) |'
    )
    readme = (folders[2] / 'README.md').read_text()
    assert row in readme.splitlines() and readme.endswith(f'{END}\nrest\n')
    record(results_of(tested))
    assert (folders[2] / 'metafile.yml').read_text() == content, 'new results must replace the earlier ones'


def test_recorded_numbers_round_as_the_results_do(tested, tmp_path):
    runs, ledger = tested
    (run,) = (run for run in runs if run.name == 'advent/minicity/seed_0')
    run.method.path = tmp_path / 'zoo/advent/minicity.py'
    run.method.path.parent.mkdir(parents=True)
    models = [{'Name': 'advent/minicity', 'Config': 'advent/minicity.py'}]
    (run.method.path.parent / 'metafile.yml').write_text(yaml.safe_dump(dict(Models=models)))
    readme = run.method.path.parent / 'README.md'
    readme.write_text(f'{BEGIN}\n{END}\n')
    write_result(run, 'stored', 18.7534)  # so mIoU is 19.2534
    results = gather([run], ledger, ('stored',))
    record(results, 'MiniCity val')
    assert '| 19.3 (seed 0) |' in readme.read_text() and '| 19.3 |' in comparison_text(results, markdown=True)


def test_a_config_that_no_metafile_lists_is_one_clear_error(tested, tmp_path):
    runs, _ = tested
    for run in runs:
        run.method.path = tmp_path / 'mine.py'
    with pytest.raises(ValueError, match='no metafile.yml beside .*mine.py lists it'):
        record(results_of(tested))


def test_target_statistics_of_a_sample_get_a_note(tested):
    runs, ledger = tested
    methods = list({run.method.name: run.method for run in runs}.values())
    for method in methods:
        method.cfg.target_statistics = dict(sample=48)
    told = 'are those of 48 evenly spaced images (target_statistics.sample)'
    assert results_of(tested).notes == [f'target statistics {told}']
    assert not any(told in note for note in gather(runs, ledger, ('stored',)).notes)
    methods[0].cfg.target_statistics = None
    names = ', '.join(method.name for method in methods[1:])
    assert results_of(tested).notes == [f'target statistics of {names} {told}']
