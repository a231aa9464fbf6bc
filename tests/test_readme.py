"""The result tables in READMEs agree with the metafiles beside them."""

import shutil

import pytest
from toolbox import CONFIGS

from mmuda.metafile import read_metafile, record_results, write_metafile
from mmuda.readme import (
    BEGIN,
    END,
    comparison_table,
    folders_with_results,
    results_table,
    update_readme,
    with_results,
    with_table,
)

FOLDERS = folders_with_results(CONFIGS.parent)


@pytest.mark.parametrize('folder', FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_the_table_is_that_of_the_metafile(folder, tmp_path):
    for name in ('README.md', 'metafile.yml'):
        shutil.copyfile(folder / name, tmp_path / name)
    assert not update_readme(tmp_path), f'run: python tools/readme.py {folder.name}'
    before, made = (folder / 'README.md').read_text('utf-8').split(BEGIN)
    made, after = made.split(END)
    spoilt = before + BEGIN + made.replace('not run', '99.9') + END + after
    (tmp_path / 'README.md').write_text(spoilt, 'utf-8')
    assert update_readme(tmp_path)
    assert (tmp_path / 'README.md').read_text('utf-8') == (folder / 'README.md').read_text('utf-8')


def test_there_are_folders():
    assert {'source_only', 'adabn', 'advent'} <= {folder.name for folder in FOLDERS}


MODELS = [
    {
        'Name': 'x/first',
        'Remark': 'small',
        'Results': [
            dict(Source='paper', Name='P', Dataset='A val', Metrics=dict(mIoU16=40.81, mIoU13=47.6), Remark='so'),
            dict(Source='ours', Dataset='A val', Seeds=[0, 2], Metrics=dict(mIoU16=[1.0, 2.0], mIoU13=[3.0, 5.0])),
            dict(Source='ours', Dataset='B val', Seeds=[4], Metrics=dict(mIoU=[7.25]), Remark='one thread'),
        ],
    },
    {'Name': 'x/second', 'Row': 'both together'},
]
TABLE = """\
| config | protocol | paper | ours |
|---|---|---|---|
| first (small) | mIoU16 / mIoU13, A val | 40.81 / 47.6; so | 1.0, 2.0: 1.5 ± 0.7 / 3.0, 5.0: 4.0 ± 1.4 (seeds 0, 2) |
| first (small) | mIoU, B val | - | 7.2 (seed 4); one thread |
| both together | - | - | not run |"""


def test_a_table_has_a_line_for_each_data_set():
    assert results_table(MODELS) == TABLE


def test_numbers_stand_below_the_names_of_their_measures():
    results = [
        dict(Source='paper', Name='P', Dataset='A val', Metrics=dict(mIoU16=40.0, mIoU13=47.0)),
        {
            'Source': 'ours',
            'Dataset': 'A val',
            'Seeds': [0],
            'Metrics': dict(mIoU13=[3.0], mIoU=[1.0]),
            'Target Statistics': dict(mIoU=[2.0], mIoU16=[4.0]),
        },
    ]
    (row,) = results_table([{'Name': 'x/a', 'Results': results}]).splitlines()[2:]
    cells = [cell.strip() for cell in row.strip('|').split('|')]
    assert cells == [
        *('a', 'mIoU16 / mIoU13 / mIoU, A val', '40.0 / 47.0 / -'),
        *('- / 3.0 / 1.0 (seed 0)', '4.0 / - / 2.0 (seed 0)'),
    ]


def test_the_rest_of_a_readme_stays():
    text = f'# X\n\n{BEGIN}\nold\n{END}\n\nmore\n'
    assert with_results(text, MODELS) == f'# X\n\n{BEGIN}\n\n{TABLE}\n\n{END}\n\nmore\n'


def test_a_readme_without_a_place_is_one_clear_error():
    with pytest.raises(ValueError, match='README.md has no place for the results: put the lines'):
        with_results('# X\n', MODELS)


def test_a_data_set_must_have_a_name(tmp_path):
    write_metafile(tmp_path, dict(Models=[{'Name': 'x/a', 'Config': f'{tmp_path.name}/a.py'}]))
    with pytest.raises(ValueError, match='has no Dataset for x/a yet: name it'):
        record_results(tmp_path / 'a.py', [dict(Seeds=[0], Metrics=dict(mIoU=[1.0]))])
    record_results(tmp_path / 'a.py', [dict(Dataset='A val', Seeds=[0], Metrics=dict(mIoU=[1.0]))])
    assert 'Dataset: A val' in (tmp_path / 'metafile.yml').read_text()


def test_seeds_are_not_lost_without_a_word(tmp_path):
    write_metafile(tmp_path, dict(Models=[{'Name': 'x/a', 'Config': f'{tmp_path.name}/a.py'}]))
    record_results(tmp_path / 'a.py', [dict(Dataset='A val', Seeds=[0, 1, 2], Metrics=dict(mIoU=[1.0, 2.0, 3.0]))])
    text = (tmp_path / 'metafile.yml').read_text()
    one = [dict(Seeds=[0, 3], Metrics=dict(mIoU=[4.0, 5.0]))]
    with pytest.raises(ValueError, match=r'with seeds \[0, 1, 2\], .* of seeds \[0, 3\]: run seeds \[1, 2\] too, or'):
        record_results(tmp_path / 'a.py', one)
    assert (tmp_path / 'metafile.yml').read_text() == text
    record_results(tmp_path / 'a.py', one, other_seeds='lose')
    assert 'Seeds: [0, 3]' in (tmp_path / 'metafile.yml').read_text()


def test_seeds_can_be_added_one_by_one(tmp_path):
    """A comparison can run on several machines, or in several sittings whose runs are not kept."""
    write_metafile(tmp_path, dict(Models=[{'Name': 'x/a', 'Config': f'{tmp_path.name}/a.py'}]))

    def result(commit, **values):
        seeds = {int(seed[1:]): value for seed, value in values.items()}
        metrics = {'mIoU': list(seeds.values()), 'mIoU13': [value + 0.5 for value in seeds.values()]}
        target = {name: [value + 10 for value in numbers] for name, numbers in metrics.items()}
        return {'Seeds': list(seeds), 'Metrics': metrics, 'Target Statistics': target, 'Commit': commit}

    first = {'Dataset': 'A val', 'Remark': 'small', **result('aaa', s0=1.0, s3=2.0)}
    record_results(tmp_path / 'a.py', [first])
    record_results(tmp_path / 'a.py', [result('bbb', s1=3.0, s3=2.0)], other_seeds='keep')
    record_results(tmp_path / 'a.py', [{**result('bbb', s2=5.0), 'Machine': 'CPU, AVX2'}], other_seeds='keep')
    (found,) = read_metafile(tmp_path)['x/a']['Results']
    expected = {**result('aaa; bbb', s0=1.0, s1=3.0, s2=5.0, s3=2.0), 'Machine': 'unknown; CPU, AVX2'}
    assert found == {'Source': 'ours', 'Dataset': 'A val', 'Remark': 'small', **expected}
    text = (tmp_path / 'metafile.yml').read_text()
    with pytest.raises(
        ValueError, match=r"a on A val has the measures .*Target.* and .*'mIoU'\)\] of seeds \[4\]: test"
    ):
        record_results(tmp_path / 'a.py', [dict(Seeds=[4], Metrics=dict(mIoU=[1.0]))], other_seeds='keep')
    with pytest.raises(
        ValueError, match=r'another mIoU \(Metrics\) than the new results: 1.0 and 1.1 for seed 0; leave'
    ):
        record_results(tmp_path / 'a.py', [result('ccc', s0=1.1, s4=0.0)], other_seeds='keep')
    assert (tmp_path / 'metafile.yml').read_text() == text


def test_the_main_readme_compares_the_methods_as_the_metafiles_do():
    text = (CONFIGS.parent / 'README.md').read_text('utf-8')
    assert with_table(text, comparison_table(CONFIGS.parent)) == text, 'run: python tools/readme.py'


def ours(**results):
    """Return a model's results on MiniCity."""
    return dict(Source='ours', Dataset='MiniCity val', **results)


def test_the_comparison_puts_baselines_first_and_the_oracle_last(tmp_path):
    three, one = ours(Seeds=[0, 1, 2], Metrics=dict(mIoU=[1.0, 2.0, 3.0])), ours(Seeds=[0], Metrics=dict(mIoU=[5.0]))
    models = {
        'configs/mine': [{'Name': 'mine/minicity', 'In Collection': 'Mine', 'Results': [one]}],
        'configs/other': [{'Name': 'other/gta2city', 'In Collection': 'Other'}],
        'projects/dacs': [{'Name': 'dacs/carla2camvid', 'In Collection': 'DACS'}],
        'configs/source_only': [
            {'Name': 'source_only/minicity', 'In Collection': 'source-only', 'Results': [three]},
            {
                'Name': 'source_only/minicity_oracle',
                'In Collection': 'source-only',
                'Results': [{**three, 'Target Statistics': dict(mIoU=[4.0, 4.0, 4.0])}],
            },
        ],
    }
    papers = {'configs/mine': '2401.00001', 'projects/dacs': '2007.08702'}
    for folder, listed in models.items():
        (tmp_path / folder).mkdir(parents=True)
        paper = {'Paper': {'URL': f'https://arxiv.org/abs/{papers[folder]}'}} if folder in papers else {}
        write_metafile(tmp_path / folder, dict(Collections=[paper], Models=listed))
    none = ('not run', '-', '-')
    lines = [line.strip('| ').split(' | ') for line in comparison_table(tmp_path).splitlines()[2:]]
    assert lines == [
        ['source-only', '2.0 \u00b1 1.0', '-', '-', *none],
        ['DACS', *none, *none],
        ['Mine', '5.0 (1 seed)', '-', '+4.0 (1 seed)', *none],
        ['oracle (trained on the labels of the target)', '2.0 \u00b1 1.0', '4.0 \u00b1 0.0', '+2.0 \u00b1 1.0', *none],
    ]


def test_gains_are_over_the_best_baseline_seed_by_seed(tmp_path):
    def model(name, stored, target, seeds=(0, 1, 2)):
        results = ours(Seeds=list(seeds), Metrics=dict(mIoU=stored), **{'Target Statistics': dict(mIoU=target)})
        return {'Name': f'{name}/minicity', 'In Collection': name, 'Results': [results]}

    models = [
        model('source_only', [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]),
        model('adabn', [2.0, 4.0, 6.0], [2.0, 2.0, 2.0]),  # the best, with the statistics of training
        model('dacs', [9.0, 9.0, 9.0], [5.0, 4.0, 3.0]),
        model('mic', [9.0, 9.0], [3.0, 8.0], (1, 2)),
        model('sim', [9.0], [9.0], (7,)),
    ]
    for one in models:
        folder = tmp_path / 'configs' / one['In Collection']
        folder.mkdir(parents=True)
        write_metafile(folder, dict(Collections=[{}], Models=[one]))
    gains = [line.strip('| ').split(' | ')[3] for line in comparison_table(tmp_path).splitlines()[2:]]
    assert gains == ['-', '-', '+0.0 \u00b1 3.0', '-1.0, +2.0 (2 seeds)', '-', '-']


def test_a_gain_can_be_over_another_network(tmp_path):
    def model(name, mean, **more):
        results = ours(Seeds=[0, 1, 2], Metrics=dict(mIoU=[mean] * 3))
        return {'Name': name, 'In Collection': name, **more, 'Results': [results]}

    models = {
        'source_only': [model('source_only/minicity', 5.0), model('source_only/minicity_small', 1.0)],
        'adabn': [model('adabn/minicity_small', 2.0)],
        'sim': [model('sim/minicity', 3.0, Baselines=['source_only/minicity_small', 'adabn/minicity_small'])],
        'dacs': [model('dacs/minicity', 3.0)],
    }
    for folder, listed in models.items():
        (tmp_path / 'configs' / folder).mkdir(parents=True)
        write_metafile(tmp_path / 'configs' / folder, dict(Collections=[{}], Models=listed))
    rows = [line.strip('| ').split(' | ') for line in comparison_table(tmp_path).splitlines()[2:]]
    assert {row[0]: row[3] for row in rows[:3]} == {
        'source_only/minicity': '-',
        'sim/minicity': '+1.0 \u00b1 0.0',
        'dacs/minicity': '-2.0 \u00b1 0.0',
    }
    lost = model('sim/minicity', 3.0, Baselines=['source_only/minicity_tiny'])
    write_metafile(tmp_path / 'configs/sim', dict(Collections=[{}], Models=[lost]))
    with pytest.raises(ValueError, match=r"sim/minicity: its metafile has Baselines=\['source_only/minicity_tiny'\]"):
        comparison_table(tmp_path)
    lost['Baselines'] = 'source_only/minicity_small'
    write_metafile(tmp_path / 'configs/sim', dict(Collections=[{}], Models=[lost]))
    with pytest.raises(ValueError, match="Baselines='source_only/minicity_small', expected a list of names"):
        comparison_table(tmp_path)
