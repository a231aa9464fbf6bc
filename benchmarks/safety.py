"""Measure the time that the safety of a run needs: checks before its start, and synced and verified checkpoints.

    python benchmarks/safety.py configs/advent/minicity.py [--pairs 5] [--cfg-options KEY=VALUE ...]

Each part is measured in pairs, so that other work on the machine affects both variants:

- start: building the runner; beside it, all checks of the config and the lock of the folder, which come before;
- data: building the loops of training and validation, by mmengine and by us with our checks of labels and files. The
  results of these checks are kept in the cache folder, so the first start is a separate line;
- save: mmengine's save of a state, and ours, which writes plain values to a draft, syncs it to the disk and renames it;
- read: torch.load of tensors only, and ours, which first verifies the checksums of the file.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import DictAction
from mmengine.runner import Runner, save_checkpoint

from mmuda.checkpoints import read_checkpoint
from mmuda.checks import check_config
from mmuda.datasets.cache import CACHE_DIR_VARIABLE
from mmuda.engine import AdaptationRunner
from mmuda.engine.launch import build_runner, load_config
from mmuda.engine.run_record import own_run
from mmuda.environ import environment_variable


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def loops(kind: type[Runner], runner: Runner) -> None:
    """Build the loops of training and validation, with their data sets, as a class of runners builds them."""
    kind.build_train_loop(runner, dict(runner.cfg.train_cfg))
    if runner.cfg.get('val_cfg') is not None:
        kind.build_val_loop(runner, dict(runner.cfg.val_cfg))


def show(what: str, without: str, ours: str, pairs: list[tuple[float, float]], added: bool = False) -> None:
    """Print the medians of pairs. With `added` the second time is added to the first, and does not replace it."""
    first, second = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    more = second if added else statistics.median(after - before for before, after in pairs)
    print(f'{what:6} {without} {first:.3f} s, {ours} {second:.3f} s: {more:+.3f} s')


def main() -> None:
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cfg = load_config(args.config, args.cfg_options, folder)
        cfg.log_level = 'ERROR'
        build_runner(cfg.copy())  # imports and caches
        check_config(cfg)

        def checks() -> None:
            check_config(cfg)
            with own_run(folder, resume=False):
                pass

        starts = [(seconds(lambda: build_runner(cfg.copy())), seconds(checks)) for _ in range(args.pairs)]
        show('start', 'building', 'checks', starts, added=True)

        runner = build_runner(cfg)
        with environment_variable(CACHE_DIR_VARIABLE, str(Path(folder, 'cache'))):
            first = [(seconds(lambda: loops(Runner, runner)), seconds(lambda: loops(AdaptationRunner, runner)))]
            again = [
                (seconds(lambda: loops(Runner, runner)), seconds(lambda: loops(AdaptationRunner, runner)))
                for _ in range(args.pairs)
            ]
        show('first', 'loops', 'ours', first)
        show('data', 'loops', 'ours', again)
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        plain, ours = Path(folder, 'plain.pth'), Path(folder, 'ours.pth')
        state = dict(
            meta=dict(iter=1),
            state_dict=runner.model.state_dict(),
            optimizer=runner.optim_wrapper.state_dict(),
            message_hub=runner.message_hub.state_dict(),
        )
        saves = [
            (
                seconds(lambda: save_checkpoint(state, str(plain))),
                seconds(lambda: runner.save_checkpoint(folder, ours.name, save_param_scheduler=False)),
            )
            for _ in range(args.pairs)
        ]
        show('save', 'mmengine', 'ours', saves)
        reads = [
            (seconds(lambda: torch.load(plain, weights_only=True)), seconds(lambda: read_checkpoint(ours)))
            for _ in range(args.pairs)
        ]
        show('read', 'torch.load', 'ours', reads)
        print(f'checkpoint of {ours.stat().st_size / 2**20:.0f} MiB, median of {args.pairs} pairs')


if __name__ == '__main__':
    main()
