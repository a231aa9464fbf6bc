"""Write MiniCity, the procedural domain pair, to disk."""

import argparse

from command_line import add_traceback, run_command


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', nargs='?', default='data/minicity', help='folder to write to')
    parser.add_argument('--num-source', type=int, default=400, help='source images')
    parser.add_argument('--num-target', type=int, default=400, help='target training images')
    parser.add_argument('--num-val', type=int, default=200, help='target validation images')
    parser.add_argument('--size', type=int, nargs=2, default=(128, 64), metavar=('W', 'H'))
    parser.add_argument('--seed', type=int, default=0, help='seed of the data set')
    parser.add_argument('--workers', type=int, default=0, help='processes; 0 renders in this one')
    parser.add_argument(
        '--oracle-labels', action='store_true', help='label the target training images too, for upper bounds'
    )
    parser.add_argument(
        '--version',
        type=int,
        default=2,
        choices=(1, 2),
        help='looks of the towns: 1 was the first, a gap of style; 2 is one of classes',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace a MiniCity that is there')
    return add_traceback(parser).parse_args()


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none

from mmuda.minicity import write_minicity


def main(args: argparse.Namespace) -> None:
    """Write MiniCity and say where it is."""
    root = write_minicity(
        args.root,
        args.num_source,
        args.num_target,
        args.num_val,
        tuple(args.size),
        args.seed,
        args.workers,
        args.oracle_labels,
        args.overwrite,
        args.version,
    )
    print(f'MiniCity is in {root}')


if __name__ == '__main__':
    run_command(main, ARGS)
