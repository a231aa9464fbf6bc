"""Metafiles are the only source of figures: configs show them, READMEs and the main table quote them."""

import re
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
    """The mean of the printed class IoUs is the printed mIoU. One config is left out: its paper deviates itself."""
    for name, model in read_metafile(folder).items():
        for paper in results(model, 'paper'):
            figures = paper.get('Per Class')
            whole = paper['Metrics'].get('mIoU') or paper['Metrics'].get('mIoU16')
            if isinstance(figures, list) and whole is not None and name != 'cbst/gta2city_st':
                assert sum(figures) / len(figures) == pytest.approx(whole, abs=0.11), name


def table(text: str, header: str) -> list[list[str]]:
    """Return the cells of the first table in a README whose header begins with this text."""
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
                assert quoted is not None, f'{name} has figures in its metafile, but no row in its README'
                values = [f'{value:.1f}' for metric in result['Metrics'].values() for value in as_list(metric)]
                assert re.findall(NUMBER, quoted[cell])[: len(values)] == values, f'{name}: other figures in {quoted}'
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
    assert paper_of(config) is None, 'the metafile belongs to another project'
    project = tmp_path / 'x'
    project.mkdir()
    for name in ('configs', 'metafile.yml'):
        Path(tmp_path / name).rename(project / name)
    assert paper_of(project / 'configs/mine.py') == dict(name='P', mIoU=1.5, per_class=[1.0, 2.0])
    (project / 'metafile.yml').write_text('Models:\n- Name: x\n- Name: x\n')
    with pytest.raises(
        ValueError, match=r"metafile.yml: x has the keys \['Baseline'\], expected some of \['Baselines', "
    ):
        (project / 'other').mkdir()
        (project / 'other/metafile.yml').write_text('Models:\n- {Name: x, Baseline: y}\n')
        read_metafile(project / 'other')
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
    """The main table quotes figures of the metafile of each method, and that of gta2city if there is one."""
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
    else:  # the row refers to figures of several papers, which the README of the folder explains
        assert 'see there' in row[2]
        text = (folder / 'README.md').read_text(encoding='utf-8')
        assert all(figure in text for figure in re.findall(r'[0-9]+(?:\.[0-9]+)?', row[2]))
