"""Tests of `tools/new_pair.py`, and of docs/own_data.md from two folders to predictions."""

import os
import shlex
from pathlib import Path

import cv2
import pytest
from commands import TOOLS
from own_folders import write_folders
from preloaded import run_script, start

from mmuda.checks import check_config
from mmuda.engine.launch import load_config
from mmuda.prediction import own_ids

DOCS = TOOLS.parent / 'docs' / 'own_data.md'
SMALL = ['--network', 'tiny', '--batch', '1', '--iterations', '2']


def run(folder: Path, command: str | list, fails: bool = False) -> str:
    """Run a tool in a folder; return its output."""
    words = shlex.split(command) if isinstance(command, str) else list(map(str, command))
    log = folder / 'log.txt'
    log.unlink(missing_ok=True)
    process = start(run_script, [str(TOOLS / Path(words[1]).name), *words[2:]], str(folder), log=log, env=os.environ)
    process.join()
    printed = log.read_text()
    assert (process.exitcode != 0) == fails, printed[-5000:]
    return printed


def new_pair(*options) -> list:
    return ['python', 'new_pair.py', '--source', 'data/renders', '--target', 'data/photographs', *options]


def test_from_folders_to_configs_and_commands(tmp_path):
    write_folders(tmp_path / 'data', values=(0, 1, 2, 255))
    names = ['--classes', 'background', 'road', 'car']
    refused = run(tmp_path, new_pair(*names, *SMALL), fails=True)
    assert 'for the 4 ids 0, 1, 2, 255: if 255 means no class, add --ignore 255' in refused
    assert not (tmp_path / 'configs').exists()
    printed = run(tmp_path, new_pair(*names, '--ignore', '255', '--val', 'data/checked', *SMALL))
    assert 'network a small DeepLabV2 with random weights' in printed
    assert 'plan    crops of 48x64 (H x W), 1 + 1 images, 2 iterations' in printed
    commands = [shlex.split(line) for line in printed[printed.index('Next:') :].splitlines()[1:]]
    options = [*names, '--ignore', '255', '--val', 'data/checked', *SMALL]
    work, dacs = 'work_dirs/my_pair', 'configs/my_pair/dacs.py'
    start = ['--cfg-options', f'load_from={work}/source_only/iter_2.pth']
    assert [[Path(command[1]).name, *command[2:]] for command in commands] == [
        [*new_pair(*options)[1:], '--method', 'source_only'],
        ['doctor.py', dacs],
        ['browse.py', dacs],
        ['train.py', 'configs/my_pair/source_only.py'],
        ['train.py', 'configs/my_pair/source_only.py', '--work-dir', f'{work}/source_only_longer', *start],
        ['train.py', dacs, *start],
        ['report.py', f'{work}/source_only_longer', f'{work}/dacs'],
        ['test.py', dacs, f'{work}/dacs/iter_2.pth', '--eval', 'mIoU'],
        ['predict.py', dacs, f'{work}/dacs/iter_2.pth', 'data/photographs', '--out', 'predictions/my_pair/dacs']
        + ['--overlay'],
    ]
    cfg = load_config(tmp_path / 'configs' / 'my_pair' / 'dacs.py')
    assert check_config(cfg) == [] and cfg.train_dataloader.dataset.source.label_table[255] == 255
    assert own_ids(cfg, ('background', 'road', 'car')) == (0, 1, 2)
    absolute = [
        tmp_path / word if str(word).startswith('data/') else word for word in new_pair('--val', 'data/checked')
    ]
    again = run(tmp_path, [*absolute, *names, '--ignore', '255', *SMALL, '--method', 'source_only'])
    assert 'written configs/my_pair/source_only.py\n' in again
    commands = [shlex.split(line) for line in again[again.index('Next:') :].splitlines()[1:]]
    assert [Path(command[1]).stem for command in commands] == ['doctor', 'browse', 'train', 'test', 'predict']
    assert all(command[2] == 'configs/my_pair/source_only.py' for command in commands)


def page() -> list[str]:
    """Return the commands of docs/own_data.md."""
    return [line.strip() for line in DOCS.read_text('utf-8').splitlines() if line.startswith('    python tools/')]


def test_the_page_names_tools_that_exist():
    tools = [shlex.split(command)[1] for command in page()]
    assert tools[0] == 'tools/new_pair.py' and tools[-1] == 'tools/report.py' and len(tools) == 10
    assert f'    {page()[0]}\n' in (TOOLS.parent / 'README.md').read_text('utf-8')


@pytest.mark.slow
def test_the_page_leads_from_two_folders_to_predictions(tmp_path):
    write_folders(tmp_path / 'data', count=4)
    first, baseline, doctor, browse, alone, longer, train, test, predict, report = page()
    for command in (first, baseline):
        run(tmp_path, f'{command} --val data/checked {shlex.join(SMALL)}')
    assert '0 errors' in run(tmp_path, doctor)
    run(tmp_path, f'{browse} --count 2')
    assert (tmp_path / 'work_dirs/my_pair/dacs/browse/index.html').is_file()
    run(tmp_path, alone)
    run(tmp_path, longer.replace('iter_2000', 'iter_2'))
    trained = run(tmp_path, train.replace('iter_2000', 'iter_2'))
    assert 'source_only/iter_2.pth' in trained
    configs, data = tmp_path / 'configs' / 'my_pair', tmp_path / 'data'
    assert f'source: SegmentationListDataset, {configs}/source.txt of {data}/renders: 4 images, all labelled' in trained
    assert f'target: SegmentationListDataset, {configs}/target.txt of {data}/photographs: 4 images, without' in trained
    tested = run(tmp_path, f'{test.replace("iter_2000", "iter_2")} --out labels')
    assert 'background' in tested and 'mIoU' in tested
    written = sorted((tmp_path / 'labels').rglob('*.png'))
    assert len(written) == 4 and cv2.imread(str(written[0]), cv2.IMREAD_UNCHANGED).shape[:2] == (48, 64)
    run(tmp_path, predict.replace('iter_2000', 'iter_2'))
    assert len(list((tmp_path / 'predictions').rglob('*IMG_1*'))) >= 2, 'the labels and the overlay'
    run(tmp_path, report)
    shown = (tmp_path / 'work_dirs/my_pair/source_only_longer/report.html').read_text().replace('<wbr>', '')
    assert '2 runs' in shown and 'vs source_only_longer' in shown and '>dacs<' in shown


@pytest.mark.slow
def test_a_target_without_labels_has_scores_that_need_none(tmp_path):
    write_folders(tmp_path / 'data', count=4)
    run(tmp_path, new_pair('--classes', 'background', 'road', 'car', '--method', 'advent', *SMALL))
    trained = run(tmp_path, 'python train.py configs/my_pair/advent.py')
    assert 'IM ' in trained and 'mIoU' not in trained
    assert (tmp_path / 'work_dirs/my_pair/advent/iter_2.pth').is_file()
