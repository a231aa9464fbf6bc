"""Metafiles are the one source of figures: configs show them, READMEs quote them, the main table repeats them."""

import re
import statistics
from pathlib import Path

import pytest
import yaml
from shipped import SHIPPED
from toolbox import CONFIGS

from mmuda.engine.launch import load_config
from mmuda.metafile import paper_of, read_metafile, write_metafile

FOLDERS = sorted(path.parent for path in CONFIGS.glob('*/metafile.yml'))
IDS = [folder.name for folder in FOLDERS]
NUMBER = r'[0-9]+\.[0-9]'


def results(model: dict, source: str) -> list[dict]:
    return [result for result in model.get('Results', ()) if result['Source'] == source]


def test_every_config_is_in_the_metafile_of_its_folder():
    listed = {model['Config'] for folder in FOLDERS for model in read_metafile(folder).values() if 'Config' in model}
    assert listed == {f'configs/{path.parent.name}/{path.name}' for path in SHIPPED}


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: f'{path.parent.name}/{path.stem}')
def test_a_config_shows_the_figures_of_its_metafile(path):
    model = read_metafile(path.parent)[f'{path.parent.name}/{path.stem}']
    shown = load_config(path).test_evaluator.get('paper')
    papers = results(model, 'paper')
    assert (shown is None) == (not papers)
    if papers:
        (paper,) = papers
        assert shown['name'] == paper['Name'] and shown.get('per_class') == paper.get('Per Class')
        assert {key: shown[key] for key in paper['Metrics']} == paper['Metrics']


@pytest.mark.parametrize('folder', FOLDERS, ids=IDS)
def test_means_are_those_of_the_classes(folder):
    """As printed, but for one that does not match in the paper itself."""
    for name, model in read_metafile(folder).items():
        for paper in results(model, 'paper'):
            figures = paper.get('Per Class')
            whole = paper['Metrics'].get('mIoU') or paper['Metrics'].get('mIoU16')
            if isinstance(figures, list) and whole is not None and name != 'cbst/gta2city_st':
                assert sum(figures) / len(figures) == pytest.approx(whole, abs=0.11), name


def table(text: str, header: str) -> list[list[str]]:
    """The cells of the table of a README whose header begins so."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(header))
    end = next((i for i in range(start, len(lines)) if not lines[i].startswith('|')), len(lines))
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines[start + 2 : end]]


@pytest.mark.parametrize('folder', FOLDERS, ids=IDS)
def test_readmes_quote_the_metafile(folder):
    models = read_metafile(folder)
    rows = {row[0]: row for row in table((folder / 'README.md').read_text(encoding='utf-8'), '| config |')}
    compared = 0
    for name, model in models.items():
        row = next((row for title, row in rows.items() if title.split(' ')[0].rstrip(',') == name.split('/')[1]), None)
        quoted = next((row for title, row in rows.items() if title == model.get('Row')), row)
        for source, cell in (('paper', 2), ('ours', 3)):
            for result in results(model, source):
                assert quoted is not None, f'{name} has figures, but no row in its README'
                values = [f'{value:.1f}' for metric in result['Metrics'].values() for value in as_list(metric)]
                assert re.findall(NUMBER, quoted[cell])[: len(values)] == values, f'{name}: {quoted}'
                compared += 1
    assert compared or folder.name in ('adabn', 'backbones')


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def test_a_missing_metafile_or_entry_is_no_figure(tmp_path):
    (tmp_path / 'configs').mkdir()
    config = tmp_path / 'configs' / 'mine.py'
    config.write_text('')
    assert paper_of(config) is None
    (tmp_path / 'metafile.yml').write_text(
        'Models:\n- Name: x\n  Config: projects/x/configs/mine.py\n  Results:\n'
        '  - {Source: paper, Name: P, Metrics: {mIoU: 1.5}, Per Class: [1.0, 2.0]}\n'
        '- Name: y\n'
    )
    assert paper_of(config) is None, 'the folder is another project'
    project = tmp_path / 'x'
    project.mkdir()
    for name in ('configs', 'metafile.yml'):
        Path(tmp_path / name).rename(project / name)
    assert paper_of(project / 'configs/mine.py') == dict(name='P', mIoU=1.5, per_class=[1.0, 2.0])
    (project / 'metafile.yml').write_text('Models:\n- Name: x\n- Name: x\n')
    with pytest.raises(ValueError, match='several models of one name'):
        read_metafile(project)


@pytest.mark.parametrize('folder', FOLDERS, ids=IDS)
def test_a_metafile_keeps_its_layout(folder, tmp_path):
    text = (folder / 'metafile.yml').read_text(encoding='utf-8')
    write_metafile(tmp_path, yaml.safe_load(text))
    assert (tmp_path / 'metafile.yml').read_text(encoding='utf-8') == text


README = (CONFIGS.parent / 'README.md').read_text(encoding='utf-8')
METHODS = table(README, '| method |')
FIGURE = r'[0-9]+\.[0-9]+'


def folder_of(row: list[str]) -> Path:
    """Return the folder that a row of the table of methods links to."""
    (link,) = re.findall(r'\]\((.+?)/README\.md\)', row[1])
    return CONFIGS.parent / link


def test_the_main_table_has_every_method():
    plugins = {path.parent for path in (CONFIGS.parent / 'projects').glob('*/metafile.yml')}
    methods = {folder for folder in FOLDERS if folder.name != 'backbones'}
    assert {folder_of(row) for row in METHODS} == {*methods, *plugins}


@pytest.mark.parametrize('row', METHODS, ids=lambda row: folder_of(row).name)
def test_the_main_table_quotes_the_metafiles(row):
    """The figure of gta2city first, then others of the same folder."""
    folder, quoted = folder_of(row), [float(figure) for figure in re.findall(FIGURE, row[2])]
    published = {
        name: paper['Metrics'].get('mIoU')
        for name, model in read_metafile(folder).items()
        for paper in results(model, 'paper')
    }
    if published:
        assert quoted and set(quoted) <= set(published.values())
        main = published.get(f'{folder.name}/gta2city')
        assert main is None or main in quoted
    else:  # not a figure of one paper: the README of the folder says of which
        assert 'see there' in row[2]
        text = (folder / 'README.md').read_text(encoding='utf-8')
        assert all(figure in text for figure in re.findall(r'[0-9]+(?:\.[0-9]+)?', row[2]))


MINICITY_ROWS = {
    'source-only': 'source_only/minicity',
    'AdaBN': 'adabn/minicity',
    'AdvEnt': 'advent/minicity',
    'AdaptSegNet': 'adaptsegnet/minicity',
    'IntraDA (two trainings)': 'intrada/minicity',
    'CBST (two trainings)': 'cbst/minicity',
    'SIM (two trainings)': 'sim/minicity',
    'FADA (three trainings)': 'fada/minicity',
    'SDCA (three trainings)': 'sdca/minicity',
    'DACS': 'dacs/minicity',
    'DAFormer': 'daformer/minicity',
    'MIC': 'mic/minicity',
    'oracle (trained on the labels of the target)': 'source_only/minicity_oracle',
}


def minicity_cell(title: str, ours: dict) -> str:
    """Return the cell of a result below a title: a seed, one with statistics of the target, or the mean of three."""
    metrics = ours['Metrics']
    if title.endswith('with statistics of the target'):
        if 'Target Statistics' not in ours:  # batch-norm that the method freezes
            return '-'
        metrics = ours['Target Statistics']
    if title.startswith('mean'):
        figures = metrics['mIoU']
        return f'{statistics.fmean(figures):.1f} ± {statistics.stdev(figures):.1f}' if len(figures) == 3 else ''
    seed = int(re.match(r'seed ([0-9]+)', title)[1])
    found = dict(zip(ours['Seeds'], metrics['mIoU'], strict=True))
    return f'{found[seed]:.1f}' if seed in found else 'not run'


def test_the_table_of_minicity_is_that_of_the_metafiles():
    header = next(line for line in README.splitlines() if line.startswith('| | seed 0 |'))
    titles = [title.strip() for title in header.strip('|').split('|')]
    rows = table(README, header)
    assert [row[0] for row in rows] == list(MINICITY_ROWS)
    plugins = CONFIGS.parent / 'projects'
    for row in rows:
        name = MINICITY_ROWS[row[0]]
        folder = name.split('/')[0]
        parent = plugins if (plugins / folder).is_dir() else CONFIGS
        (ours,) = results(read_metafile(parent / folder)[name], 'ours')
        assert row[1:] == [minicity_cell(title, ours) for title in titles[1:]], name
