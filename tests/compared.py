"""Small comparisons without computation: the fake training and test scripts only write files."""

import json
from pathlib import Path

from toolbox import tiny_config

from mmuda.comparison import Method, Run, plan_runs
from mmuda.files import write_json

CLASSES = ['road', 'sky', 'car']

TRAIN = """
import argparse, json, pathlib, sys, time
parser = argparse.ArgumentParser()
parser.add_argument('config')
parser.add_argument('--work-dir', type=pathlib.Path)
parser.add_argument('--resume', action='store_true')
args = parser.parse_args()
text = pathlib.Path(args.config).read_text()
folder = args.work_dir
with open(folder / 'calls.txt', 'a') as calls:
    calls.write('train\\n')
if 'FAIL' in text:
    sys.exit('no such file: labels.txt')
for _ in range(12000):  # two minutes
    if not (folder.parents[2] / 'hold').exists():
        break
    time.sleep(0.01)
else:
    sys.exit('the test did not interrupt this script')
logs = folder / '1' / 'vis_data'
logs.mkdir(parents=True, exist_ok=True)
(logs / 'scalars.json').write_text(json.dumps(dict(step=6, loss=1.0, memory=321)) + '\\n{"step": 7, "lo')
(folder / 'iter_6.pth').write_bytes(b'weights')
"""

TEST = """
import argparse, json, pathlib, re
parser = argparse.ArgumentParser()
parser.add_argument('config')
parser.add_argument('checkpoint', type=pathlib.Path)
parser.add_argument('--work-dir', type=pathlib.Path)
parser.add_argument('--batch-norm')
args = parser.parse_args()
args.work_dir.mkdir(exist_ok=True)
with open(args.work_dir.parent / 'calls.txt', 'a') as calls:
    calls.write(args.batch_norm + '\\n')
seed = int(re.search(r'seed_([0-9]+)', args.config)[1])
score = {'source_only': 20.0, 'adabn': 28.0, 'advent': 31.0}[args.work_dir.parents[2].name] + seed
score += 10.0 if args.batch_norm == 'target' else 0.0
classes = dict(road=score, sky=score + 1, car=None)
content = dict(
    num_images=5, classes=list(classes), metrics=dict(mIoU=score + 0.5, aAcc=60.0 + seed), per_class=dict(IoU=classes),
    protocols=dict(mIoU=list(classes)), paper=None)
name = args.checkpoint.stem + ('_target_bn' if args.batch_norm == 'target' else '') + '.json'
(args.work_dir / name).write_text(json.dumps(content))
"""


def fake_tools(folder: Path) -> Path:
    """Write scripts that take the arguments and write the files of tools/train.py and tools/test.py."""
    folder.mkdir()
    (folder / 'train.py').write_text(TRAIN)
    (folder / 'test.py').write_text(TEST)
    return folder


def tiny_methods(minicity: Path, folder: Path, *names: str, **options) -> list[Method]:
    """Return methods on the tiny MiniCity, given the names of their config folders."""
    return [
        Method(f'{name}/minicity', Path(f'configs/{name}/minicity.py'), tiny_config(name, minicity, folder, **options))
        for name in names
    ]


def tiny_runs(minicity: Path, folder: Path, *names: str, seeds=(0, 1)) -> list[Run]:
    """Return all runs of some methods."""
    return plan_runs(tiny_methods(minicity, folder, *names), seeds, folder)


def calls_of(run: Run) -> list[str]:
    """Return the calls of the scripts for a run: 'train' for a training, the value of `--batch-norm` for a test."""
    path = run.folder / 'calls.txt'
    return path.read_text().split() if path.is_file() else []


def write_result(run: Run, statistics: str, score: float, **changes) -> None:
    """Write the results of a test."""
    classes = dict(road=score, sky=score + 1, car=None)
    content = dict(
        num_images=5,
        classes=CLASSES,
        metrics=dict(mIoU=score + 0.5, aAcc=60.0),
        per_class=dict(IoU=classes),
        protocols=dict(mIoU=CLASSES),
        paper=None,
    )
    write_json(run.result_file(statistics), json.loads(json.dumps({**content, **changes})))
