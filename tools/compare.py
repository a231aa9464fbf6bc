"""Compare methods under one budget: python tools/compare.py configs/source_only/minicity.py configs/advent/minicity.py

Trains each config with each of --seeds. Tests the last checkpoints with their own batch-norm statistics and with
statistics of the target images. Writes table.txt, table.md, table.json and report.html to the work dir. Name
source-only and AdaBN among the configs: the table shows the gain of each method over source-only and over the best of
the baselines. Start it again after an interruption, or with more configs or seeds: finished trainings and tests are
kept.
"""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from command_line import KeyValues, add_traceback, run_command


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='one config for each method')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0], help='seeds of the trainings (default: 0)')
    parser.add_argument(
        '--budget',
        type=int,
        metavar='ITERS',
        help='iterations of all trainings of a method together; its schedule is scaled to them',
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/compare'), help='default: work_dirs/compare')
    parser.add_argument(
        '--jobs', type=int, default=1, metavar='N', help='trainings that run at the same time (default: 1)'
    )
    parser.add_argument(
        '--batch-norm',
        nargs='+',
        choices=['stored', 'target'],
        default=['stored', 'target'],
        help='statistics to test with (default: both)',
    )
    parser.add_argument(
        '--measure', help='mean in which gains are measured, such as mIoU13 (default: that of the configs)'
    )
    parser.add_argument(
        '--amp', nargs='?', const='float16', choices=['float16', 'bfloat16'], help='as in tools/train.py'
    )
    parser.add_argument('--pictures', type=int, default=4, help='test images in the report (default: 4)')
    parser.add_argument(
        '--write-metafile', action='store_true', help='put the results into metafile.yml and README.md of the configs'
    )
    others = parser.add_mutually_exclusive_group()
    others.add_argument(
        '--add', action='store_true', help='with --write-metafile: keep the earlier results of other seeds'
    )
    others.add_argument(
        '--replace', action='store_true', help='with --write-metafile: lose the earlier results of other seeds'
    )
    parser.add_argument('--dataset', help='with --write-metafile: name of the tested images, such as "MiniCity val"')
    parser.add_argument(
        '--table-only', action='store_true', help='train and test nothing: write the table of the finished runs'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=KeyValues,
        default={},
        metavar='KEY=VALUE',
        help='as in tools/train.py, for all configs',
    )
    args = add_traceback(parser).parse_args()
    for name in ('seeds', 'batch_norm'):
        setattr(args, name, list(dict.fromkeys(getattr(args, name))))
    if args.write_metafile and (args.budget or args.cfg_options or args.amp):
        parser.error('--write-metafile needs results of unchanged configs: leave out --budget, --cfg-options and --amp')
    if args.write_metafile and 'stored' not in args.batch_norm:
        parser.error('--write-metafile needs the results with stored statistics: add stored to --batch-norm')
    for name in ('budget', 'jobs'):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f'--{name} must be at least 1')
    return args


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none


from mmuda.checks import check_config, require
from mmuda.comparison import (
    Comparison,
    Results,
    Run,
    RunLedger,
    comparison_text,
    differences_between,
    gather,
    load_methods,
    plan_runs,
    record,
    set_budget,
    with_precision,
    write_comparison_report,
)
from mmuda.files import write_atomically, write_json
from mmuda.owner import only_user


def write(results: Results, runs: list[Run], ledger: RunLedger, folder: Path, pictures: int) -> None:
    """Write the tables and the report, and print the table."""
    text = comparison_text(results)
    write_atomically(folder / 'table.txt', text.encode())
    write_atomically(folder / 'table.md', comparison_text(results, markdown=True).encode())
    write_json(folder / 'table.json', results.as_dict())
    write_comparison_report(folder / 'report.html', results, runs, ledger, pictures)
    print(f'\n{text}\n{folder / "report.html"}, table.txt, table.md, table.json', flush=True)


def exit_on_signal(number: int, frame: FrameType | None) -> None:
    """Raise SystemExit for a signal, so that running trainings are ended, too."""
    name = signal.Signals(number).name
    print(f'stopped by {name}: finished trainings and tests are kept, and the same command continues', file=sys.stderr)
    raise SystemExit(128 + number)


def main(args: argparse.Namespace) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:  # a shell makes processes in the background ignore SIGINT
            signal.signal(number, exit_on_signal)
    methods = load_methods(args.configs, args.cfg_options)
    if args.budget is not None:
        methods = [set_budget(method, args.budget) for method in methods]
    if args.amp is not None:
        methods = [with_precision(method, args.amp) for method in methods]
    for method in methods:
        require(method.cfg, check_config(method.cfg))
    runs = plan_runs(methods, args.seeds, args.work_dir)
    for warning in differences_between(methods):
        print(f'warning: {warning}', file=sys.stderr, flush=True)
    with only_user(args.work_dir, 'comparison') as lock:
        ledger = RunLedger(args.work_dir)
        comparison = Comparison(runs, ledger, Path(__file__).parent, args.batch_norm, args.jobs)
        if not args.table_only:
            comparison.execute(inherited=[lock])
        failed = f'{len(comparison.failures)} of {len(runs)} runs failed: {", ".join(comparison.failures)}'
        if len(comparison.failures) == len(runs):
            raise SystemExit(failed)
        trained = {run.method.name: run.iterations() for run in runs if ledger.is_trained(run)}
        notes = differences_between(methods, {method.name: trained.get(method.name) for method in methods})
        results = gather(runs, ledger, args.batch_norm, args.measure, notes)
        write(results, runs, ledger, args.work_dir, args.pictures)
    if comparison.failures:
        raise SystemExit(failed)
    if args.write_metafile:
        missing = [run.name for run in runs if not ledger.is_tested(run, 'stored')]
        if missing:
            raise SystemExit(f'no metafile is written: there is no result of {", ".join(missing)}')
        other_seeds = 'keep' if args.add else 'lose' if args.replace else 'refuse'
        folders = record(results, args.dataset, other_seeds)
        print('\n'.join(f'{folder}: metafile.yml, README.md' for folder in folders))


if __name__ == '__main__':
    run_command(main, ARGS)
