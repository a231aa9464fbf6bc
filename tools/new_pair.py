"""Write configs for your own data: python tools/new_pair.py --source RENDERS --target PHOTOGRAPHS --classes road car

Reads a folder of labelled images and a folder of images without labels, and shows sizes, formats and label values.
Writes the config of the pair, and the config of a first method that trains on it. See docs/own_data.md.
"""

import argparse
import shlex
import sys
from pathlib import Path

from command_line import add_traceback, run_command


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--source', required=True, metavar='DIR', help='labelled images')
    parser.add_argument('--target', required=True, metavar='DIR', help='images to adapt to; labels are not read')
    parser.add_argument('--val', metavar='DIR', help='other images of the target to validate with, best with labels')
    parser.add_argument(
        '--labels',
        nargs='+',
        default=[],
        metavar='DIR',
        help='labels of the source, and of --val, if they are in other folders',
    )
    parser.add_argument('--image-names', metavar='PATTERN', help="names of images, such as '*_left.png'")
    parser.add_argument('--label-names', metavar='PATTERN', help="names of labels, such as '*_L.png'")
    parser.add_argument(
        '--classes',
        nargs='+',
        default=[],
        metavar='NAME',
        help='names in the order of the ids, a file with names, ids and colours, or a label table of mmuda (train_ids)',
    )
    parser.add_argument(
        '--val-classes', nargs='+', default=[], metavar='NAME', help='the same for --val, if its ids differ'
    )
    parser.add_argument('--ignore', nargs='+', type=int, default=[], metavar='ID', help='label ids that are no class')
    parser.add_argument(
        '--method',
        default='dacs',
        choices=['source_only', 'adabn', 'minent', 'advent', 'adaptsegnet', 'dacs'],
        help='default: %(default)s',
    )
    parser.add_argument(
        '--network',
        choices=['efficientnet', 'r50', 'r101', 'tiny'],
        help='default: efficientnet if its package is installed, else r50',
    )
    parser.add_argument('--name', default='my_pair', help='name of the pair (default: %(default)s)')
    parser.add_argument('--out', type=Path, metavar='DIR', help='folder of the configs (default: configs/NAME)')
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument('--overwrite', action='store_true', help='replace existing files that have another text')
    existing.add_argument('--keep', action='store_true', help='keep existing files that have another text')
    parser.add_argument(
        '--root-variable',
        metavar='NAME',
        help='environment variable from which the config takes the folder of the data',
    )
    parser.add_argument('--crop', type=int, nargs=2, metavar=('H', 'W'), help='size of crops')
    parser.add_argument('--batch', type=int, metavar='N', help='images of each domain in an iteration (default: 2)')
    parser.add_argument('--iterations', type=int, metavar='N', help='length of the training')
    parser.add_argument(
        '--sample',
        default='500',
        metavar='N',
        help='number of labels to read from each folder, or all (default: %(default)s)',
    )
    args = add_traceback(parser).parse_args()
    if len(args.labels) > 2:
        parser.error('--labels takes a folder for the source and one for --val')
    if args.val is None and (args.val_classes or len(args.labels) == 2):
        parser.error('--val-classes and a second folder of --labels are for --val, which is missing')
    if not (args.sample == 'all' or args.sample.isdigit() and int(args.sample)):
        parser.error(f'--sample must be all or a number of at least 1, not {args.sample}')
    if any(value is not None and value < 1 for value in (args.batch, args.iterations, *(args.crop or ()))):
        parser.error('--crop, --batch and --iterations must be positive')
    if not args.name.replace('-', '_').replace('.', '_').isidentifier():
        parser.error(f'--name {args.name!r} becomes the name of a folder: use letters, digits, - and _')
    if args.root_variable is not None and not args.root_variable.isidentifier():
        parser.error(f'--root-variable {args.root_variable!r} is no name of a variable: use letters, digits and _')
    return args


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none

import torch

from mmuda.checks import check_config, require
from mmuda.engine.launch import config_name, load_config
from mmuda.own_data.method_config import method_config
from mmuda.own_data.new_pair import Request, new_pair
from mmuda.own_data.pair_config import pair_files
from mmuda.own_data.recipes import METHODS, NETWORKS, default_network
from mmuda.own_data.writing import check_folder, write_files


def ask(question: str, default: str) -> str:
    """Return the answer on the terminal, or the default if it is empty."""
    return input(f'{question} [{default}]: ').strip() or default


def main(args: argparse.Namespace) -> None:
    """Read the folders, ask for missing facts, write the configs, and print the next commands."""
    folder = args.out or Path('configs', args.name)
    check_folder(folder)
    wishes = ('source', 'target', 'val', 'labels', 'classes', 'val_classes', 'ignore', 'image_names', 'label_names')
    request = Request(
        **{wish: getattr(args, wish) for wish in wishes},
        sample=None if args.sample == 'all' else int(args.sample),
        name=args.name,
        crop=None if args.crop is None else tuple(args.crop),
        batch=args.batch,
        iterations=args.iterations,
        root_variable=args.root_variable,
        command=shlex.join(['python', *sys.argv]),
    )
    pair = new_pair(request, ask=ask if sys.stdin.isatty() else None)
    network = args.network or default_network()
    files = pair_files(pair)
    files[f'{args.method}.py'] = method_config(pair, METHODS[args.method], NETWORKS[network], folder)
    written = write_files(folder, files, args.overwrite, args.keep)
    config = folder / f'{args.method}.py'
    cfg = load_config(config)
    require(cfg, check_config(cfg))
    plan = pair.plan
    print(f'\nnetwork {NETWORKS[network].title}')
    print(
        f'plan    crops of {plan.crop[0]}x{plan.crop[1]} (H x W), {plan.batch} + {plan.batch} images, '
        f'{plan.iterations} iterations'
    )
    if not torch.cuda.is_available() and args.crop is None and args.iterations is None:
        print(
            '        there is no GPU here: on CPUs start with smaller crops and fewer iterations, such as '
            '--crop 144 192 --iterations 800'
        )
    print(f'written {" ".join(map(str, written)) or "nothing: the same files exist already"}')
    print('\nNext:')
    for line in commands(config, args.method, f'iter_{plan.iterations}.pth', args.target, pair.validates):
        print(f'    {line}')


def commands(config: Path, method: str, checkpoint: str, images: str, labelled: bool) -> list[str]:
    """Return the commands from a config to predictions, with training on the source alone before another method.

    Args:
        config: Config of the method.
        method: Key of the method in ``METHODS``. A method with a teacher starts from the network of source-only, which
            is trained on for as long as a baseline.
        checkpoint: Name of the last checkpoint of a training.
        images: Folder of images to predict.
        labelled: Whether there are labels to test with.
    """
    alone = config.with_name('source_only.py')
    run, first = (Path('work_dirs', config_name(one)) for one in (config, alone))
    weights = run / checkpoint
    has_teacher = METHODS[method].has_teacher
    start = ['--cfg-options', f'load_from={first / checkpoint}'] if has_teacher else []
    longer = first.with_name('source_only_longer')  # the baseline with as many iterations
    checks: list[list] = [['doctor.py', config], ['browse.py', config]]
    if method == 'source_only':
        lines = [*checks, ['train.py', config]]
    else:
        lines = [
            # before pair.py is changed
            *([] if alone.exists() else [['new_pair.py', *without_method(sys.argv[1:]), '--method', 'source_only']]),
            *checks,
            ['train.py', alone],
            *([['train.py', alone, '--work-dir', longer, *start]] if has_teacher else []),
            ['train.py', config, *start],
            ['report.py', longer if has_teacher else first, run],
        ]
    lines += [
        *([['test.py', config, weights, '--eval', 'mIoU']] if labelled else []),
        ['predict.py', config, weights, images, '--out', f'predictions/{config_name(config)}', '--overlay'],
    ]
    tools = Path(__file__).parent
    shown = tools.relative_to(Path.cwd()) if tools.is_relative_to(Path.cwd()) else tools
    return [shlex.join(['python', str(shown / tool), *map(str, rest)]) for tool, *rest in lines]


def without_method(words: list[str]) -> list[str]:
    """Return the words of a command line without ``--method``, ``--overwrite`` and ``--keep``."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--method')
    parser.add_argument('--overwrite', action='store_true')
    parser.add_argument('--keep', action='store_true')
    return parser.parse_known_args(words)[1]


if __name__ == '__main__':
    run_command(main, ARGS)
