"""The pages of docs/: commands, files and options exist, and the tutorials give the promised results."""

import ast
import json
import os
import re
import shlex
from pathlib import Path

import cv2
import pytest
import torch
from commands import TOOLS
from mmengine.config import Config
from preloaded import run_script, start
from toolbox import tiny_options

from mmuda.datasets.classes import CITYSCAPES_CLASSES
from mmuda.engine.launch import build_runner, load_config
from mmuda.labeling import Argmax, label_images
from mmuda.registry import LABEL_STRATEGIES

ROOT = TOOLS.parent
DOCS = ROOT / 'docs'
PAGES = sorted([*DOCS.glob('*.md'), *DOCS.glob('tutorials/*.md'), *DOCS.glob('how_to/*.md'), ROOT / 'CONTRIBUTING.md'])
FENCE = re.compile(
    r'^```(?:bash|\{code-block\} python\n:caption: (?P<caption>[^\n]*))\n(?P<body>.*?)^```$', re.M | re.S
)
FILE = re.compile(r'(?<![\w/.{])(?:tools|configs|projects|docs|benchmarks|requirements|mmuda|tests)/[\w/.-]*\w')
GENERATED = (
    'projects/my_method',
    'projects/mean_teacher',
    'configs/my_pair',
    'docs/_build',
    'tests/data',
    'mmuda/.mim',
)
MADE_UP = ('NAME', 'ORIGIN', 'SOURCE2TARGET', 'CONFIG')


def blocks(page: Path) -> list[tuple[str | None, str]]:
    """Return the blocks of shell commands and of files with their captions, in the order of the page."""
    return [(found['caption'], found['body']) for found in FENCE.finditer(page.read_text('utf-8'))]


def commands(text: str) -> list[list[str]]:
    """Return the words of each command in a block."""
    lines = text.replace('\\\n', ' ').splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@pytest.mark.parametrize('page', PAGES, ids=[path.relative_to(ROOT).as_posix() for path in PAGES])
def test_files_that_a_page_names_exist(page):
    assert '@@' not in page.read_text('utf-8'), 'a place for a figure must be filled'
    named = set(FILE.findall(page.read_text('utf-8')))
    missing = {
        name
        for name in named
        if not (ROOT / name).exists()
        and not (ROOT / f'{name}.sh').exists()
        and not name.startswith(GENERATED)
        and not any(sign in name for sign in MADE_UP)
    }
    assert not missing, f'{page.name} names missing files: {sorted(missing)}'


@pytest.mark.parametrize('page', PAGES, ids=[path.relative_to(ROOT).as_posix() for path in PAGES])
def test_options_of_tools_exist(page):
    for caption, text in blocks(page):
        for words in [] if caption else commands(text):
            tools = [word for word in words if word.startswith('tools/') and word.endswith('.py')]
            if not tools:
                continue
            source = (ROOT / tools[0]).read_text('utf-8') + (ROOT / 'tools/command_line.py').read_text('utf-8')
            for option in (word for word in words if word.startswith('--')):
                assert f"'{option}'" in source, f'{page.name}: {tools[0]} has no option {option}'


def test_python_blocks_of_pages_are_python():
    found = 0
    for page in PAGES:
        for text in re.findall(r'^```python\n(.*?)^```$', page.read_text('utf-8'), re.M | re.S):
            ast.parse(text)
            found += 1
    assert found > 5


def test_no_page_begins_a_sentence_as_the_style_forbids():
    for page in PAGES:
        text = re.sub(r'^```.*?^```$|`[^`]*`|^\|.*$|^#.*$', '', page.read_text('utf-8'), flags=re.M | re.S)
        assert not re.findall(r'(?:(?<=[.!?:] )|(?<=[.!?]\n)|(?<=\n\n))(?:What|Those that|Who)\b[^?\n]*\.', text), (
            page.name
        )


# The tutorials.


class Workplace:
    """A folder in which the commands of a page run at a small size, as if it were a checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ('tools', 'configs'):
            (folder / name).symlink_to(ROOT / name)
        (folder / 'projects').mkdir()
        (folder / 'pytest.ini').write_text('[pytest]\n')

    def run(self, words: list[str]) -> str:
        """Run a command of a page with additional options that make it small; return its output."""
        assert words[0] == 'python', words
        script, *arguments = words[1:]
        if script == '-m':
            script, arguments = (
                str(Path(pytest.__file__).with_name('__main__.py')),
                [*arguments[1:], '-p', 'no:cacheprovider'],
            )
        else:
            arguments = [*arguments, *small(Path(script).stem, arguments)]
        arguments = [word.replace('iter_1000', 'iter_4') for word in arguments]
        log = self.folder / 'log.txt'
        log.unlink(missing_ok=True)
        process = start(run_script, [script, *arguments], str(self.folder), log=log, env=os.environ)
        process.join()
        printed = log.read_text()
        assert process.exitcode == 0, f'{shlex.join(words)}\n{printed[-5000:]}'
        return printed


def small(tool: str, arguments: list[str]) -> list[str]:
    """Return additional options that make a command of a tutorial fast."""
    if tool == 'minicity':
        return ['--num-source', '4', '--num-target', '4', '--num-val', '2', '--size', '64', '48']
    if tool in ('train', 'test', 'doctor', 'browse', 'compare', 'predict') and '--cfg-options' not in arguments:
        method = 'adaptsegnet' if 'configs/adaptsegnet/minicity.py' in arguments else 'source_only'
        options = tiny_options(method, iters=4, save=4, val=4)
        if tool == 'predict':
            options = {key: value for key, value in options.items() if key.startswith('model.')}
        once = ['--batch-norm', 'stored'] if tool == 'compare' else []
        return [*once, '--cfg-options', *(f'{key}={value}' for key, value in options.items())]
    return []


@pytest.mark.slow
def test_the_first_tutorial_leads_to_two_networks_and_their_predictions(tmp_path):
    place = Workplace(tmp_path)
    printed = {}
    for _, text in blocks(DOCS / 'tutorials/minicity.md'):
        for words in commands(text):
            printed[tuple(words[1:3])] = place.run(words)
    assert '0 errors' in printed['tools/doctor.py', 'configs/adaptsegnet/minicity.py']
    assert 'mIoU' in printed['tools/test.py', 'configs/adaptsegnet/minicity.py']
    assert (tmp_path / 'work_dirs/adaptsegnet/minicity/browse/index.html').is_file()
    assert (tmp_path / 'work_dirs/source_only/minicity/test/iter_4_target_bn.json').is_file()
    assert 'adaptsegnet' in (tmp_path / 'work_dirs/report.html').read_text('utf-8')
    kinds = sorted(path.suffix for path in (tmp_path / 'predictions').glob('*/*/*'))
    assert kinds == ['.jpg', '.jpg', '.png', '.png']  # an overlay and a label map for each of two images


@pytest.mark.slow
def test_the_tutorial_of_an_own_method_leads_to_a_tested_teacher(tmp_path):
    place = Workplace(tmp_path)
    printed, real = [], []
    for caption, text in blocks(DOCS / 'tutorials/own_method.md'):
        if caption is None:
            for words in commands(text):
                if any('gta2city' in word for word in words):  # needs GTA5
                    real.append(words[-1])
                    continue
                words = [word for word in words if word not in ('1', '2')]
                printed.append((words, place.run(words)))
        elif caption.endswith('.py'):
            (tmp_path / caption).write_text(text.lstrip('\n'))
        else:  # a test that replaces the first one of the file
            file = tmp_path / caption.partition(',')[0]
            first, second = file.read_text().split('def test_')[1:3]
            file.write_text(file.read_text().replace(f'def test_{first}', text.lstrip('\n') + '\n\n'))
            assert f'def test_{second}' in file.read_text()
    tested = [text for words, text in printed if words[1] == '-m']
    assert len(tested) == 2 and all('2 passed' in text for text in tested)
    assert [words[-1] for words, _ in printed if words[1] == 'tools/test.py'] == ['mIoU', 'teacher']
    assert 'mean_teacher' in (tmp_path / 'work_dirs/compare/table.txt').read_text()
    assert list((tmp_path / 'work_dirs/short').glob('*/vis_data/vis_image/*_100.png'))
    config = 'projects/mean_teacher/configs/gta2city.py'
    assert real == [config, '4']
    cfg = Config.fromfile(tmp_path / config, import_custom_modules=False)
    assert cfg.model.type == 'MeanTeacher' and cfg.model.segmentor.backbone.depth == 101


def test_the_tutorial_of_a_checkpoint_names_what_the_tools_take():
    words = [words for _, text in blocks(DOCS / 'tutorials/from_checkpoint.md') for words in commands(text)]
    assert [Path(command[1]).name for command in words] == ['convert.py', 'predict.py', 'test.py']
    origin, source, output = words[0][2:]
    assert (ROOT / f'tools/model_converters/{origin}.py').is_file()
    assert f'| `{source}` | `{origin}` |' in (ROOT / 'tools/model_converters/README.md').read_text('utf-8')
    assert all(output in command for command in words[1:])


def test_the_config_of_the_page_on_pseudo_labels_trains(tmp_path, minicity, monkeypatch):
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))
    images = sorted((minicity / 'target/leftImg8bit/train').rglob('*.png'))
    sizes = [cv2.imread(str(image)).shape[:2] for image in images]

    def network(places):
        return (torch.rand(19, *sizes[place], generator=torch.Generator().manual_seed(place)) for place in places)

    label_images([str(image) for image in images], network, tmp_path / 'labels', Argmax(), CITYSCAPES_CLASSES)
    python = re.findall(r'^```python\n(.*?)^```$', (DOCS / 'how_to/pseudo_labels.md').read_text('utf-8'), re.M | re.S)
    text = f"_base_ = '{ROOT}/configs/source_only/minicity.py'\n" + python[0]
    (tmp_path / 'config.py').write_text(text.replace("labels='labels'", f"labels='{tmp_path}/labels'"))
    cfg = load_config(tmp_path / 'config.py', tiny_options('source_only', iters=1), str(tmp_path / 'work'))
    runner = build_runner(cfg)
    runner.train()
    assert 'train/target_loss' in runner.message_hub.log_scalars
    names: dict = {}
    exec(compile(python[1], 'pseudo_labels.md', 'exec'), names)
    assert names['Above'](0.6).label(torch.tensor([0.7, 0.5, 0.3, 0.5]).view(2, 1, 2)).tolist() == [[0, 255]]
    LABEL_STRATEGIES.module_dict.pop('Above')


# The notebook.


def cells() -> list[str]:
    """Return the code cells of the notebook."""
    notebook = json.loads((DOCS / 'minicity.ipynb').read_text('utf-8'))
    assert (notebook['nbformat'], notebook['nbformat_minor']) == (4, 5)
    assert all(not cell.get('outputs') for cell in notebook['cells'])
    return [''.join(cell['source']) for cell in notebook['cells'] if cell['cell_type'] == 'code']


def test_the_cells_of_the_notebook_are_python():
    assert len([ast.parse(cell) for cell in cells()]) > 6


def run_cells(folder: str, texts: list[str]) -> None:
    """Run cells one after the other in one namespace, as a notebook does."""
    import matplotlib

    os.chdir(folder)
    matplotlib.use('agg')
    import matplotlib.pyplot as plt

    shown = []
    plt.show = lambda: shown.append(len(plt.gcf().axes))
    names: dict = {'__name__': '__main__'}
    for number, text in enumerate(texts):
        exec(compile(text, f'cell {number}', 'exec'), names)
    print('shown', shown, sorted(names['scores']))


@pytest.mark.slow
def test_the_notebook_runs_from_the_installation_to_pictures(tmp_path):
    texts = [
        cell.replace('num_source=400, num_target=400, num_val=200', 'num_source=4, num_target=4, num_val=3').replace(
            'ITERATIONS = 1000', 'ITERATIONS = 4'
        )
        for cell in cells()
    ]
    log = tmp_path / 'log.txt'
    process = start(run_cells, str(tmp_path), texts, log=log, env=os.environ)
    process.join()
    assert process.exitcode == 0, log.read_text()[-5000:]
    assert log.read_text().rstrip().endswith("shown [6, 9] ['adaptsegnet', 'source_only']")
    assert 'source_only: mIoU' in log.read_text()


def test_own_data_is_one_of_the_tutorials():
    # tests/tools/test_new_pair.py follows that page.
    assert '../own_data' in (DOCS / 'tutorials/index.md').read_text('utf-8').splitlines()
