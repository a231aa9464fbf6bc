"""Pages of the site that are generated from the package, the configs and the READMEs. The tests do not need Sphinx."""

import importlib
import importlib.util
import inspect
import re
from types import ModuleType

import pytest
from commands import TOOLS

from mmuda.readme import folders_with_results

ROOT = TOOLS.parent
DOCS = ROOT / 'docs'


def load(name: str) -> ModuleType:
    """Import a module of docs/, which is not an installed package."""
    spec = importlib.util.spec_from_file_location(f'docs_{name.replace("/", "_")}', DOCS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def methods() -> ModuleType:
    return load('extension/methods')


def test_each_method_has_a_page_with_configs_and_equations_in_a_group(methods):
    pages = methods.pages(ROOT)
    names = {folder.name for folder in folders_with_results(ROOT)}
    assert len(names) > 14 and {f'methods/{name}.md' for name in names} <= set(pages)
    assert names <= {name for _, group in methods.GROUPS for name in group}
    assert ':caption: More' not in pages['methods/index.md']
    for name in names - {'backbones'}:
        page = pages[f'methods/{name}.md']
        assert '## Configs' in page and '```{literalinclude}' in page and '## Equations and options' in page, name


def test_links_of_readmes_lead_to_pages_or_files(methods):
    pages = methods.pages(ROOT)
    count = 0
    for name, text in pages.items():
        for match in methods.LINK.finditer(text):
            path = match['target'].partition('#')[0]
            if path:
                count += 1
                target = (DOCS / name).parent.joinpath(path).resolve()
                page = target.relative_to(DOCS).as_posix() if target.is_relative_to(DOCS) else None
                assert target.is_file() or page in pages, f'{name}: no file or page for the link {match["target"]}'
    assert count > 60
    assert '](../methods/daformer.md)' in pages['made/plugins.md']
    assert '](source_only.md#minicity)' in pages['methods/advent.md']
    assert '](../../configs/_base_/schedules/poly_250k.py)' in pages['methods/advent.md']


def test_commands_become_code_of_the_shell_and_code_stays(methods):
    pages = methods.pages(ROOT)
    assert '```bash\npython tools/train.py configs/dacs/gta2city.py ' in pages['methods/dacs.md']
    for text in pages.values():
        assert len(re.findall(r'^```', text, re.M)) % 2 == 0
    assert "model = dict(\n    teacher=dict(mode='sliding')" in pages['methods/hrda.md']


def test_the_table_of_minicity_is_that_of_the_metafiles(methods):
    table = methods.minicity_table(ROOT)
    assert '| [advent/minicity](../methods/advent.md) | 24.0 \u00b1 1.3 | 24.1 \u00b1 1.1 |' in table.replace(
        '\xa0', ' '
    )
    assert table.index('source_only/minicity') < table.index('adabn/minicity') < table.index('advent/minicity')


def test_each_page_of_a_method_cites_its_paper(methods):
    pages = methods.pages(ROOT)
    cited = {name for name, text in pages.items() if '## Cite the paper' in text}
    without = {f'methods/{name}.md' for name in ('source_only', 'backbones', 'example_project', 'index')}
    assert cited == {name for name in pages if name.startswith('methods/')} - without
    assert pages['methods/hrda.md'].endswith(
        '## Cite the paper\n\nIf you publish results of this method, cite its paper, [HRDA: Context-Aware '
        'High-Resolution Domain-Adaptive Semantic Segmentation](https://arxiv.org/abs/2204.13132), ECCV 2022:\n\n'
        '```bibtex\n'
        '@inproceedings{hoyer2022hrda,\n'
        '  title = {{HRDA: Context-Aware High-Resolution Domain-Adaptive Semantic Segmentation}},\n'
        '  author = {Lukas Hoyer and Dengxin Dai and Luc Van Gool},\n'
        '  booktitle = {ECCV},\n'
        '  year = {2022},\n'
        '  url = {https://arxiv.org/abs/2204.13132},\n'
        '}\n'
        '```\n'
    )
    assert '@misc{li2016revisiting,\n' in pages['methods/adabn.md']


def test_described_objects_exist(methods):
    for names in methods.OBJECTS.values():
        for name in names:
            module, _, attribute = name.rpartition('.')
            assert getattr(importlib.import_module(module), attribute).__doc__, name


def test_the_api_reference_has_every_module_and_the_floors_of_the_package():
    from test_floors import FLOORS

    api = load('extension/api')
    assert [set(floor) for floor in api.FLOORS] == list(FLOORS)
    pages = api.pages(ROOT)
    for package in (ROOT / 'mmuda').rglob('__init__.py'):
        name = '.'.join(package.parent.relative_to(ROOT).parts)
        first = inspect.getdoc(importlib.import_module(name)).split('\n')[0]
        assert f':doc:`{name}`\n   {first}' in pages['api/index.rst']
    text = '\n'.join(pages.values())
    for path in (ROOT / 'mmuda').rglob('*.py'):
        if path.name != '__init__.py' and re.search(r'^(class|def) [A-Za-z]', path.read_text('utf-8'), re.M):
            name = '.'.join(path.relative_to(ROOT).with_suffix('').parts)
            assert f'.. automodule:: {name}\n' in text


def test_readers_are_listed_with_the_words_of_their_docstrings():
    page = load('extension/datasets').pages(ROOT)['made/readers.md']
    assert '### GTA5Dataset' in page and '24 966 frames' in page and '### PublishedDataset' not in page
    assert 'Args:' not in page and ':class:' not in page


@pytest.mark.parametrize('name', ['data_flow', 'floors', 'stages', 'step'])
def test_the_pictures_are_those_of_the_script(name, tmp_path):
    pictures = load('pictures')
    pictures.PICTURES[name]().write(tmp_path / 'made.svg')
    assert (tmp_path / 'made.svg').read_text('utf-8') == (DOCS / f'pictures/{name}.svg').read_text('utf-8'), (
        'run: python docs/pictures.py'
    )


def test_words_of_sentences_are_counted():
    readability = load('readability')
    text = (
        '# A title\n\nOne two three. Four `five` six et al. eight!\n\n    code is code\n\n- a point here\n\n| a | b |\n'
    )
    assert list(readability.sentences(text)) == [3, 6, 3]
    assert readability.line('x', ['One two. ' + 'word ' * 26 + '.']).split() == ['x', '2', '14.0', '14', '50.0%']
