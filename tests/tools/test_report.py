"""Tests of `tools/report.py`."""

import json
import os
import re
import shutil

from commands import TOOLS, run
from pages import Page
from toolbox import tiny_config

from mmuda.engine.launch import build_runner


def test_reports_any_runs(minicity, tmp_path):
    for method, iters in (('source_only', 4), ('dacs', 6)):
        build_runner(tiny_config(method, minicity, tmp_path / 'runs' / method, iters=iters, val=2)).train()
    printed = run(minicity, TOOLS / 'report.py', tmp_path / 'runs', '--pictures', 2)
    path = tmp_path / 'runs/report.html'
    assert f'report: {path}' in printed
    note = 'dacs differs from source_only in the budget (iterations): source_only has 4, dacs has 6'
    assert f'warning: {note}' in printed
    page = Page(path.read_text())
    # For two images: the image, the ground truth, two predictions and an entropy; and one scale of the entropy.
    assert len(page.images) == 2 * 5 + 1
    last = [
        json.loads(line) for file in (tmp_path / 'runs/dacs').glob('*/vis_data/scalars.json') for line in open(file)
    ]
    miou = [one['mIoU'] for one in last if 'mIoU' in one][-1]
    assert page.row('dacs')[0][1] == f'{miou:.1f}'
    text = ' '.join(page.text)
    assert note in text
    assert 'validation at iteration 4' in text and 'Validation SND, without labels; greater is better' in text


def test_a_test_counts_more_than_a_validation_and_needs_no_data(minicity, tmp_path):
    build_runner(tiny_config('source_only', minicity, tmp_path / 'run', iters=2, val=2)).train()
    (tmp_path / 'run/test').mkdir()
    scores = dict(num_images=5, metrics=dict(mIoU=77.7, aAcc=80.0), protocols=dict(mIoU=['road']), confusion_matrix=[])
    (tmp_path / 'run/test/iter_2.json').write_text(json.dumps(scores))
    shutil.move(minicity, f'{minicity}_away')
    try:
        command = [TOOLS / 'report.py', tmp_path / 'run', '--out', tmp_path / 'new/page.html', '--pictures']
        run(minicity, *command, 0)
        assert 'pictures: --pictures 0' in run(minicity, *command, 1, fails=True)
    finally:
        shutil.move(f'{minicity}_away', minicity)
    html = (tmp_path / 'new/page.html').read_text()
    assert re.search('77.7.*test of iter_2', html, re.DOTALL) and os.path.getsize(tmp_path / 'new/page.html') > 1000


def write_test(run_folder, name, miou, age):
    """Write a result of `tools/test.py`; results with a greater age are newer."""
    path = run_folder / 'test' / f'{name}.json'
    path.parent.mkdir(exist_ok=True)
    scores = dict(num_images=5, metrics=dict(mIoU=miou, aAcc=80.0), protocols=dict(mIoU=['road']), confusion_matrix=[])
    path.write_text(json.dumps(scores))
    os.utime(path, (age, age))


def test_statistics_of_the_target_are_rows_of_their_own(minicity, tmp_path):
    runs = {method: tmp_path / 'runs' / method for method in ('source_only', 'dacs')}
    for method, folder in runs.items():
        build_runner(tiny_config(method, minicity, folder, iters=2, val=2)).train()
    write_test(runs['source_only'], 'iter_2', 15.1, 1)
    write_test(runs['source_only'], 'iter_2_target_bn', 15.9, 2)
    write_test(runs['source_only'], 'iter_2_on_source', 60.0, 3)
    write_test(runs['source_only'], 'iter_2_tta', 16.5, 4)
    write_test(runs['dacs'], 'iter_2', 17.1, 1)
    command = [TOOLS / 'report.py', tmp_path / 'runs', '--pictures']
    assert 'warning' not in run(minicity, *command, 0)
    text = (tmp_path / 'runs/report.html').read_text()
    page = Page(text)
    assert page.row('source_only')[0][1] == '15.1'
    assert page.row('source_only, target statistics')[0][1] == '15.9'
    assert page.row('source_only, test-time augmentation')[0][1] == '16.5'
    assert page.row('dacs')[0][1:3] == ['17.1', '+2.0']
    assert '<title>2 runs</title>' in text and 'best of 4 results' in text and '60.0' not in ''.join(page.text)

    # Neither a baseline nor a method gains from being tested in another way.
    write_test(runs['dacs'], 'iter_2_tta', 17.7, 5)
    (runs['source_only'] / 'test/iter_2_tta.json').unlink()
    assert 'CHECKPOINT --batch-norm stored --tta' in run(minicity, *command, 0)
    (runs['dacs'] / 'test/iter_2_tta.json').unlink()

    # A method that was tested with target statistics alone, beside a baseline with stored ones.
    (runs['source_only'] / 'test/iter_2_target_bn.json').unlink()
    (runs['dacs'] / 'test/iter_2.json').unlink()
    write_test(runs['dacs'], 'iter_2_target_bn', 17.1, 4)
    shutil.copy(runs['dacs'] / 'iter_2.pth', runs['dacs'] / 'test/iter_2_target_bn.pth')
    printed = run(minicity, *command, 1)
    note = 'dacs, target statistics has no gain: no baseline was tested in the same way'
    assert f'warning: {note}' in printed and 'CHECKPOINT --batch-norm target' in printed
    page = Page((tmp_path / 'runs/report.html').read_text())
    assert page.row('dacs, target statistics')[0][1:3] == ['17.1', '']
    assert note in ''.join(page.text) and 'validation at iteration 2' in ''.join(page.text)
    described = [image['alt'] for image in page.images]
    assert len([words for words in described if words.endswith('prediction of dacs, target statistics')]) == 1


def test_a_folder_without_a_run(minicity, tmp_path):
    told = run(minicity, TOOLS / 'report.py', tmp_path, fails=True)
    assert 'error: no file' in told and 'give the work_dir of a run' in told
    assert 'Traceback' not in told and '--pictures' not in told
