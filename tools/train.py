"""Train a config: python tools/train.py configs/advent/gta2city.py"""

import argparse

from command_line import config_parser, parse, run_command


def parse_args() -> argparse.Namespace:
    parser = config_parser(__doc__)
    parser.add_argument('--work-dir', help='folder of logs and checkpoints (default: work_dirs/FOLDER/CONFIG)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const=True,
        default=False,
        metavar='CHECKPOINT',
        help='continue from the newest checkpoint in the work dir, or from the given one',
    )
    parser.add_argument(
        '--allow',
        nargs='+',
        default=[],
        metavar='KEY',
        help='with --resume: settings that can differ from those of the checkpoint, such as train_cfg.max_iters or '
        'param_scheduler; also processes, threads, versions, device and data',
    )
    parser.add_argument(
        '--stages',
        type=lambda text: text.split(','),
        metavar='A,B',
        help='for a config with stages: run only these (by name, or the beginning of a name such as rounds/0)',
    )
    parser.add_argument(
        '--restart-from', metavar='STAGE', help='for a config with stages: run this one and all later ones again'
    )
    parser.add_argument(
        '--amp',
        nargs='?',
        const='float16',
        choices=['float16', 'bfloat16'],
        help='mixed precision (float16 needs a GPU)',
    )
    parser.add_argument(
        '--channels-last',
        action='store_true',
        help="store weights and activations channels-last (memory_format='channels_last' of the config)",
    )
    parser.add_argument(
        '--compile',
        action='store_true',
        help='compile the networks with torch.compile (compile=True of the config, or a dict of its arguments)',
    )
    return parse(parser)


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none

from mmuda.checks import check_config, require
from mmuda.engine.distributed import join_processes
from mmuda.engine.launch import build_runner, load_config, set_precision
from mmuda.engine.run_record import own_run
from mmuda.engine.stopping import stoppable


def main(args: argparse.Namespace) -> None:
    of_stages = {key: value for key, value in dict(only=args.stages, restart_from=args.restart_from).items() if value}
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    cfg.launcher = args.launcher
    if args.resume:
        cfg.resume = args.resume
    if args.amp:
        set_precision(cfg, args.amp)
    if args.channels_last:
        cfg.memory_format = 'channels_last'
    if args.compile:
        cfg.compile = cfg.get('compile') or True
    staged = cfg.get('runner_type') == 'StagedRunner'
    if of_stages and not staged:
        raise SystemExit(f'{args.config} has no stages: --stages and --restart-from do not apply')
    if staged and isinstance(args.resume, str):
        raise SystemExit(
            '--resume takes no checkpoint if the config has stages: ledger.json in the work dir records them'
        )
    if args.allow:
        if not args.resume:
            raise SystemExit('--allow names settings that can differ from a checkpoint: it needs --resume')
        cfg.resume_allow = args.allow
    require(cfg, check_config(cfg))
    with stoppable():
        join_processes(cfg.launcher, cfg.get('env_cfg', {}))
        with own_run(cfg.work_dir, bool(cfg.get('resume') or of_stages)):  # before the build, which takes a while
            build_runner(cfg).train(**of_stages)


if __name__ == '__main__':
    run_command(main, ARGS)
