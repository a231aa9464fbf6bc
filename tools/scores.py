"""Measure how well scores without labels choose networks: python tools/scores.py work_dirs/advent work_dirs/dacs

Reads the values that trainings have logged at their validations. Prints for each score Spearman's rank correlation with
the true mIoU over the checkpoints of a run (mean over runs), over the last checkpoints of all runs, and over all
checkpoints. Prints also the mIoU that is lost against the best checkpoint of a run, for the checkpoint that the score
picks and for the last one. A positive correlation means that better scores go with better mIoU. LabelFreeHook
(default_hooks.label_free) logs the scores. Validate often (train_cfg.val_interval), because each validation gives one
network to rank.

Networks whose trainings logged no scores can be validated now, on the validation images of a config that fits all of
them:

    python tools/scores.py --config configs/source_only/carla2camvid.py A/iter_800.pth B/iter_400.pth C/iter_400.pth
"""

import argparse
import math
import tempfile

from command_line import add_traceback, run_command

COLUMNS = ('score', 'better', 'checkpoints', 'runs', 'all', 'picked', 'last', 'networks')


def score_and_rule(text: str) -> tuple[str, str]:
    """Return name and rule of NAME:greater or NAME:less."""
    name, _, rule = text.rpartition(':')
    if not name or rule not in ('greater', 'less'):
        raise argparse.ArgumentTypeError(f'{text!r} is neither NAME:greater nor NAME:less')
    return name, rule


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'work_dirs',
        nargs='+',
        metavar='WORK_DIR',
        help='work dir of a training, or a folder of work dirs; with --config: checkpoints',
    )
    parser.add_argument('--config', help='validate checkpoints with this config, instead of reading logs')
    parser.add_argument('--truth', default='mIoU', help='score that needs labels (default: %(default)s)')
    parser.add_argument(
        '--scores',
        nargs='+',
        type=score_and_rule,
        metavar='NAME:RULE',
        help='other logged values and whether greater or less is better, such as loss_ent_main:less',
    )
    parser.add_argument('--json', metavar='FILE', help='also write the numbers to FILE, as JSON')
    return add_traceback(parser).parse_args()


if __name__ == '__main__':
    ARGS = parse_args()  # before the imports below, so that --help waits for none

from terminaltables import AsciiTable

from mmuda.constants import LABEL_FREE_PREFIX, LABEL_FREE_SCORES
from mmuda.engine.launch import build_runner, load_config
from mmuda.evaluation import Ranking, rank_scores
from mmuda.files import write_json
from mmuda.stages import network_config
from mmuda.visualization import read_scalars, training_folders
from mmuda.visualization.scalars import Curve

DEFAULT = {f'{LABEL_FREE_PREFIX}/{name}': rule for name, rule in LABEL_FREE_SCORES.items()}


def shown(value: float) -> str:
    return '-' if math.isnan(value) else f'{value:.2f}'


def table(rankings: list[Ranking]) -> str:
    rows = [
        [one.score, one.rule, *map(shown, one[2:7]), one.networks]
        for one in sorted(rankings, key=lambda one: -one.checkpoints if one.checkpoints == one.checkpoints else 2)
    ]
    return AsciiTable([list(COLUMNS), *rows]).table


def validate(config: str, checkpoint: str) -> dict[str, Curve]:
    """Validate a network, including the scores without labels, and return each score as a curve of one point."""
    with tempfile.TemporaryDirectory() as folder:
        cfg = network_config(load_config(config, work_dir=folder))
        cfg.load_from, cfg.log_level = checkpoint, 'WARNING'
        cfg.default_hooks.label_free = dict(type='LabelFreeHook')
        return {name: ([0], [float(value)]) for name, value in build_runner(cfg).val().items()}


def main(args: argparse.Namespace) -> None:
    if args.config is None:
        runs = {str(folder): read_scalars(folder) for name in args.work_dirs for folder in training_folders(name)}
    else:
        runs = {checkpoint: validate(args.config, checkpoint) for checkpoint in args.work_dirs}
    scores = dict(args.scores or DEFAULT)
    rankings = rank_scores(runs, scores, args.truth)
    if not rankings:
        raise SystemExit(
            f'none of the {len(runs)} runs has logged one of {", ".join(scores)} together with '
            f'{args.truth}: train with default_hooks.label_free, or name other scores with --scores'
        )
    print(f'{len(runs)} runs, rank correlations with {args.truth}\n{table(rankings)}')
    print(f'picked, last: {args.truth} of the best checkpoint of a run minus that of the chosen one, mean over runs')
    if args.json:
        write_json(args.json, dict(truth=args.truth, runs=list(runs), scores=[one._asdict() for one in rankings]))


if __name__ == '__main__':
    run_command(main, ARGS)
