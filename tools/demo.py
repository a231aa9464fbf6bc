"""Demo on MiniCity: adapt, evaluate and show. `make demo` runs it.

Writes MiniCity, trains source-only, AdaBN and AdvEnt from the shipped configs, and tests their last checkpoints. Tests
the source-only network also with batch-norm statistics of the target. Writes work_dirs/demo/report.html. With several
seeds it prints mean and standard deviation of each row.

Every training has one thread, and one training runs on each core. So figures do not depend on the number of cores.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from command_line import KeyValues

ROOT = Path(__file__).resolve().parents[1]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0])
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'demo')
    parser.add_argument(
        '--data',
        type=Path,
        default=ROOT / 'data' / 'minicity',
        help='folder of MiniCity, which is written if it is missing',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=KeyValues, default={}, metavar='KEY=VALUE', help='for all three trainings'
    )
    parser.add_argument('--images', nargs=3, type=int, default=(400, 400, 200), metavar=('SOURCE', 'TARGET', 'VAL'))
    parser.add_argument('--version', type=int, choices=(1, 2), default=2, help='version of MiniCity')
    parser.add_argument('--size', nargs=2, type=int, default=(128, 64), metavar=('W', 'H'))
    return parser.parse_args()


if __name__ == '__main__':
    ARGS = parse_args()  # before the imports below, so that --help waits for none

import numpy as np
from mmseg.datasets import CityscapesDataset
from mmseg.structures import SegDataSample

from mmuda.checkpoints.latest import latest_checkpoint
from mmuda.engine.inference import load_model, predict
from mmuda.engine.launch import load_config
from mmuda.minicity import write_minicity
from mmuda.progress import ProgressDisplay
from mmuda.visualization import RunSummary, collect_samples, read_scalars, write_report

TRAINED = re.compile(r'Iter\(train\)\s*\[\s*(\d+)/\d+\]')
RUNS = {'source-only': 'source_only', 'AdaBN': 'adabn', 'AdvEnt': 'advent'}
TARGET_BN = 'target batch-norm'
METHODS = {'source-only': 'source_only', 'AdaBN': 'adabn', TARGET_BN: 'source_only', 'AdvEnt': 'advent'}
"""Config folder of each row of the table."""

BASELINES = ('source-only', 'AdaBN', TARGET_BN)
LONGEST_FIRST = ('AdvEnt', 'AdaBN', 'source-only')
PICTURES = 6
NOTE = (
    'AdaBN is source-only training that also forwards target images in train mode, without a loss. Target batch-norm '
    'is the source-only network with statistics that are estimated again on the unlabelled target images. Both show '
    'the effect of batch-norm alone: the gain of a method is its difference from the better of them. All numbers are '
    'of the last checkpoint.'
)


def run(script: str, *args: object, log: Path, advance: Callable[[int], None] = lambda _: None) -> None:
    """Run a tool of this folder on one thread, with its output in a log file; the end of it is shown if the tool fails.

    Args:
        script: File name of the tool.
        *args: Its arguments.
        log: File for its output.
        advance: Called with the number of training iterations since the last call.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / 'tools' / script), *map(str, args)]
    last, done = deque[str](maxlen=30), 0
    with (
        open(log, 'w', encoding='utf-8') as file,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            cwd=ROOT,
            env=dict(os.environ, OMP_NUM_THREADS='1'),
        ) as process,
    ):
        for line in process.stdout or ():
            file.write(line)
            last.append(line)
            found = TRAINED.search(line)
            if found is not None:
                advance(int(found[1]) - done)
                done = int(found[1])
    if process.returncode:
        raise SystemExit(f'{"".join(last)}\n\ntools/{script} failed; the whole log is {log}')


def adapt_and_evaluate(seed: int, folder: Path, options: dict[str, object]) -> dict[str, dict]:
    """Train and test all runs of a seed, one on each core, and return their metrics by name."""
    iterations = sum(
        load_config(ROOT / 'configs' / method / 'minicity.py', options).train_cfg.max_iters for method in RUNS.values()
    )
    overrides = ['--cfg-options', f'randomness.seed={seed}', *(f'{key}={value}' for key, value in options.items())]
    lock, start = threading.Lock(), time.time()
    print(f'seed {seed}: training {", ".join(RUNS)} ...', flush=True)

    with (
        ProgressDisplay(iterations, f'seed {seed}: training', 'iterations') as display,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):

        def advance(count: int) -> None:
            with lock:
                display.update(count)

        def one(name: str) -> dict[str, dict]:
            return train_and_test(name, folder / RUNS[name], overrides, advance)

        found = {name: metrics for part in pool.map(one, LONGEST_FIRST) for name, metrics in part.items()}
    scores = ', '.join(f'{name} {found[name]["metrics"]["mIoU"]:.1f}' for name in METHODS)
    print(f'seed {seed}: {scores} after {time.time() - start:.0f} s', flush=True)
    return {name: found[name] for name in METHODS}


def train_and_test(name: str, work_dir: Path, overrides: list[str], advance: Callable[[int], None]) -> dict[str, dict]:
    """Train and test one run, and return metrics by name; source-only also has those with statistics of the target."""
    config = ROOT / 'configs' / RUNS[name] / 'minicity.py'
    run('train.py', config, '--work-dir', work_dir, *overrides, log=work_dir / 'train.log', advance=advance)
    checkpoint = Path(latest_checkpoint(work_dir))
    test = ('test.py', config, checkpoint, '--eval', 'mIoU', *overrides)
    run(*test, log=work_dir / 'test.log')
    found = {name: metrics_of(checkpoint, work_dir / 'test' / f'{checkpoint.stem}.json')}
    if name == 'source-only':
        run(*test, '--batch-norm', 'target', log=work_dir / 'test_target_bn.log')
        written = work_dir / 'test' / f'{checkpoint.stem}_target_bn.pth'
        found[TARGET_BN] = metrics_of(written, written.with_suffix('.json'))
    return found


def metrics_of(checkpoint: Path, results: Path) -> dict:
    """Return the metrics of a file of results, with the name of the checkpoint added."""
    return dict(json.loads(results.read_text(encoding='utf-8')), checkpoint=str(checkpoint))


def report(found: dict[str, dict], folder: Path, options: dict[str, object]) -> Path:
    """Write the HTML report of one seed, and return its path."""

    def predictions(name: str) -> Iterator[SegDataSample]:
        cfg = load_config(ROOT / 'configs' / METHODS[name] / 'minicity.py', options)
        model = load_model(cfg, found[name]['checkpoint'])
        indices = np.unique(np.linspace(0, found[name]['num_images'] - 1, PICTURES).astype(int)).tolist()
        yield from predict(model, cfg, indices)

    runs = [
        RunSummary(
            name,
            metrics,
            read_scalars(Path(metrics['checkpoint']).parent) if name in RUNS else {},
            baseline=name in BASELINES,
        )
        for name, metrics in found.items()
    ]
    samples = collect_samples({name: predictions(name) for name in found})
    meta = CityscapesDataset.METAINFO
    return write_report(
        folder / 'report.html', 'mmuda on MiniCity', runs, samples, meta['classes'], meta['palette'], NOTE
    )


def summary(found: dict[str, dict]) -> str:
    """Return the line that the demo prints for a seed."""
    source, adabn, target_bn, advent = (round(found[name]['metrics']['mIoU'], 1) for name in METHODS)
    batch_norm = max(adabn, target_bn)
    return (
        f'target mIoU: source-only {source:.1f}, best of batch-norm {batch_norm:.1f}, AdvEnt {advent:.1f} '
        f'({advent - source:+.1f} over source-only, {advent - batch_norm:+.1f} over batch-norm)'
    )


def main(args: argparse.Namespace) -> None:
    args.data, args.work_dir = args.data.resolve(), args.work_dir.resolve()  # the tools run in another folder
    try:
        write_minicity(args.data, *args.images, size=tuple(args.size), workers=2, version=args.version)
    except FileExistsError as error:
        raise SystemExit(f'error: {error}. Replace it: python tools/minicity.py {args.data} --overwrite') from error
    os.environ['MINICITY_ROOT'] = str(args.data)
    lines = []
    for seed in args.seeds:
        folder = args.work_dir if len(args.seeds) == 1 else args.work_dir / f'seed{seed}'
        found = adapt_and_evaluate(seed, folder, args.cfg_options)
        print(f'report: {report(found, folder, args.cfg_options)}', flush=True)
        lines.append([found[name]['metrics']['mIoU'] for name in METHODS])
        print(summary(found), flush=True)
    if len(lines) > 1:
        table = np.array(lines)
        for name, mean, deviation in zip(METHODS, table.mean(0), table.std(0, ddof=1), strict=True):
            print(f'{name}: {mean:.1f} +- {deviation:.1f} over seeds {args.seeds}')


if __name__ == '__main__':
    main(ARGS)
