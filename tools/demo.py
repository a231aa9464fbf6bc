"""The main job, on MiniCity: adapt, evaluate, show. Run by `make demo`.

Writes MiniCity, trains source-only, AdaBN and AdvEnt from the shipped configs, tests their last checkpoints and writes
work_dirs/demo/report.html. With several seeds it prints the table of the README.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from mmengine.config import DictAction
from mmseg.datasets import CityscapesDataset
from mmseg.structures import SegDataSample

from mmuda.checkpoints.loading import latest_checkpoint
from mmuda.engine.inference import load_model, predict
from mmuda.engine.launch import load_config
from mmuda.minicity import write_minicity
from mmuda.progress import ProgressDisplay
from mmuda.visualization import RunSummary, collect_samples, read_scalars, write_report

ROOT = Path(__file__).resolve().parents[1]
TRAINED = re.compile(r'Iter\(train\)\s*\[\s*(\d+)/(\d+)\]')
RUNS = {'source-only': 'source_only', 'AdaBN': 'adabn', 'AdvEnt': 'advent'}
PICTURES = 6
NOTE = (
    'AdaBN is source-only training that also forwards target images in train mode, without a loss: what batch-norm '
    'statistics alone bring. A method is worth what it adds to that. All numbers are of the last checkpoint.'
)


def run(script: str, *args, log: Path) -> None:
    """Run a tool of this folder with a bar; its output goes to a log file and is shown if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / 'tools' / script), *map(str, args)]
    with (
        open(log, 'w', encoding='utf-8') as file,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace', cwd=ROOT
        ) as process,
        ExitStack() as stack,
    ):
        display = None
        for line in process.stdout:
            file.write(line)
            found = TRAINED.search(line)
            if found is not None:
                done, total = int(found[1]), int(found[2])
                display = display or stack.enter_context(ProgressDisplay(total, '  training', 'iterations'))
                display.update(done - display.done)
    if process.returncode:
        tail = '\n'.join(log.read_text(encoding='utf-8', errors='replace').splitlines()[-30:])
        raise SystemExit(f'{tail}\n\ntools/{script} failed; the whole log is {log}')


def adapt_and_evaluate(seed: int, folder: Path, options: dict[str, object]) -> dict[str, dict]:
    """Train and test the three runs; their metrics by name."""
    found = {}
    for name, method in RUNS.items():
        start = time.time()
        print(f'{name}, seed {seed}: training ...', flush=True)
        config, work_dir = ROOT / 'configs' / method / 'minicity.py', folder / method
        overrides = ['--cfg-options', f'randomness.seed={seed}', *(f'{key}={value}' for key, value in options.items())]
        run('train.py', config, '--work-dir', work_dir, *overrides, log=work_dir / 'train.log')
        checkpoint = Path(latest_checkpoint(work_dir))
        run('test.py', config, checkpoint, '--eval', 'mIoU', *overrides, log=work_dir / 'test.log')
        found[name] = json.loads((work_dir / 'test' / f'{checkpoint.stem}.json').read_text(encoding='utf-8'))
        found[name]['checkpoint'] = str(checkpoint)
        print(
            f'{name}, seed {seed}: target mIoU {found[name]["metrics"]["mIoU"]:.1f} after {time.time() - start:.0f} s',
            flush=True,
        )
    return found


def report(found: dict[str, dict], folder: Path, options: dict[str, object]) -> Path:
    """Write the HTML report of one seed."""

    def predictions(name: str) -> Iterator[SegDataSample]:
        cfg = load_config(ROOT / 'configs' / RUNS[name] / 'minicity.py', options)
        model = load_model(cfg, found[name]['checkpoint'])
        indices = np.unique(np.linspace(0, found[name]['num_images'] - 1, PICTURES).astype(int)).tolist()
        yield from predict(model, cfg, indices)

    runs = [
        RunSummary(name, metrics, read_scalars(Path(metrics['checkpoint']).parent)) for name, metrics in found.items()
    ]
    samples = collect_samples({name: predictions(name) for name in found})
    meta = CityscapesDataset.METAINFO
    return write_report(
        folder / 'report.html', 'mmuda on MiniCity', runs, samples, meta['classes'], meta['palette'], NOTE
    )


def summary(found: dict[str, dict]) -> str:
    """The last line of the demo."""
    source, adabn, advent = (round(found[name]['metrics']['mIoU'], 1) for name in RUNS)
    return (
        f'target mIoU: source-only {source:.1f}, AdaBN {adabn:.1f}, AdvEnt {advent:.1f} '
        f'({advent - source:+.1f} over source-only, {advent - adabn:+.1f} over AdaBN)'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0])
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'demo')
    parser.add_argument('--data', type=Path, default=ROOT / 'data' / 'minicity', help='where MiniCity is or will be')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE', help='for all three trainings'
    )
    parser.add_argument('--images', nargs=3, type=int, default=(400, 400, 100), metavar=('SOURCE', 'TARGET', 'VAL'))
    parser.add_argument('--size', nargs=2, type=int, default=(128, 64), metavar=('W', 'H'))
    args = parser.parse_args()
    write_minicity(args.data, *args.images, size=tuple(args.size), workers=2)
    os.environ['MINICITY_ROOT'] = str(args.data)
    lines = []
    for seed in args.seeds:
        folder = args.work_dir if len(args.seeds) == 1 else args.work_dir / f'seed{seed}'
        found = adapt_and_evaluate(seed, folder, args.cfg_options)
        print(f'report: {report(found, folder, args.cfg_options)}', flush=True)
        lines.append([found[name]['metrics']['mIoU'] for name in RUNS])
        print(summary(found), flush=True)
    if len(lines) > 1:
        table = np.array(lines)
        for name, mean, deviation in zip(RUNS, table.mean(0), table.std(0, ddof=1), strict=True):
            print(f'{name}: {mean:.1f} +- {deviation:.1f} over seeds {args.seeds}')


if __name__ == '__main__':
    main()
