"""Write MiniCity, a procedural pair of domains, to disk."""

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
    parser.add_argument('--workers', type=int, default=0, help='processes that render; 0 renders in this process')
    parser.add_argument(
        '--oracle-labels', action='store_true', help='also write labels of the target training images, for upper bounds'
    )
    parser.add_argument(
        '--version',
        type=int,
        default=2,
        choices=(1, 2),
        help='look of the towns: in 1 the domains differ in style, in 2 the classes exchange their looks',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace an existing MiniCity')
    return add_traceback(parser).parse_args()


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none

from mmuda.minicity import write_minicity


def main(args: argparse.Namespace) -> None:
    """Write MiniCity and print its folder."""
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
