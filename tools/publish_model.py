"""Write a plain mmseg checkpoint of a trained segmentor, and the config that runs it without mmuda.

python tools/publish_model.py iter_120000.pth advent_gta2city.pth

The config of the training is read from the folder of the checkpoint, in which the training has written it, or from
--config.
"""

import argparse
from pathlib import Path

from command_line import add_traceback, run_command


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('output', help='file to write; the first digits of its hash are added to the name')
    parser.add_argument('--config', help='config of the training (default: the one in the folder of the checkpoint)')
    parser.add_argument('--safetensors', action='store_true', help='write the weights as .safetensors, too')
    return add_traceback(parser).parse_args()


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none

from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmuda.checkpoints import publish
from mmuda.engine.launch import load_config
from mmuda.engine.plain_config import write_plain_config
from mmuda.stages import network_config


def config_of(checkpoint: Path, given: str | None) -> Config | None:
    """Return the config of the network in a checkpoint, or None if it is not given and not found."""
    found = [given] if given else sorted(map(str, checkpoint.parent.glob('*.py')))
    return network_config(load_config(found[0])) if len(found) == 1 else None


def main(args: argparse.Namespace) -> None:
    weights = publish(args.checkpoint, args.output, safetensors=args.safetensors)
    print(weights)
    if args.safetensors:
        print(weights.with_suffix('.safetensors'))
    cfg = config_of(args.checkpoint, args.config)
    if cfg is None:
        print(f'no config was written: expected exactly one .py file in {args.checkpoint.parent}: give --config')
        return
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    for path in write_plain_config(cfg, weights):
        print(path)


if __name__ == '__main__':
    run_command(main, ARGS)
