"""Measure the time that scores without labels add to a validation, in pairs.

    python benchmarks/label_free.py configs/advent/minicity.py

Validates the network of a config, with random weights, on its validation images, without and with LabelFreeHook. Both
take turns, so other work on the machine affects both. Prints the seconds of each and the median of the ratios.
"""

import argparse
import statistics
import tempfile
import time

from mmengine.config import DictAction

from mmuda.engine.launch import build_runner, load_config


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runners = []
        for label_free in (None, dict(type='LabelFreeHook')):
            cfg = load_config(args.config, args.cfg_options, folder)
            cfg.default_hooks.label_free = label_free
            cfg.log_level = 'ERROR'
            runners.append(build_runner(cfg))
            runners[-1].val()  # builds the loop and warms up
        pairs = []
        for _ in range(args.pairs):
            pair = []
            for runner in runners:
                start = time.perf_counter()
                runner.val_loop.run()
                pair.append(time.perf_counter() - start)
            pairs.append(pair)
            print(f'validation {pair[0]:.3f} s, with scores {pair[1]:.3f} s', flush=True)
    print(f'median ratio {statistics.median(after / before for before, after in pairs):.3f}')


if __name__ == '__main__':
    main()
