"""Decode and resize the images and labels of a training once: python tools/cache.py CONFIG

The config needs train_dataloader.dataset.cache_bytes, the maximum size of the cache in bytes, or a reader of mmuda with
this key. You can also add --cfg-options +train_dataloader.dataset.cache_bytes=100e9 to this command and to that of the
training. The training then reads the samples from the folder samples/ of the cache folder (variable MMUDA_CACHE_DIR).
Without this command, the first pass of the training over the images fills the cache. A second call checks all files and
adds the missing ones.
"""

import argparse
import os

from command_line import KeyValues, add_traceback, run_command


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--stage', help='for a config with stages: a training (default: the first one)')
    parser.add_argument('--work-dir', help='folder with the results of earlier stages (default: as tools/train.py)')
    parser.add_argument(
        '--threads', type=int, default=os.cpu_count(), help='number of threads that decode (default: %(default)s)'
    )
    parser.add_argument('--cfg-options', nargs='+', action=KeyValues, default={}, metavar='KEY=VALUE')
    return add_traceback(parser).parse_args()


if __name__ == '__main__':
    ARGS = parse_args()  # before the imports below, so that --help waits for none

from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from mmuda.datasets.cached_pipeline import CachedPipeline, fill, parts_of
from mmuda.doctor.rows import size_of
from mmuda.engine.launch import load_config
from mmuda.stages import training_config


def main(args: argparse.Namespace) -> None:
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    cfg = training_config(cfg, args.stage)
    loaders = (cfg[name] for name in ('train_dataloader', 'val_dataloader') if cfg.get(name))
    parts = [part for loader in loaders for part in parts_of(DATASETS.build(loader.dataset))]
    cached = [part for part in parts if isinstance(getattr(part, 'pipeline', None), CachedPipeline)]
    if not cached:
        raise ValueError(
            f'no data set of {args.config} has cache_bytes: add --cfg-options '
            '+train_dataloader.dataset.cache_bytes=100e9, here and in the command of the training'
        )
    for part in cached:
        fill(part, args.threads)
    files = cached[0].pipeline.files
    print(f'{files.folder}: {size_of(files.used())} of at most {size_of(files.max_bytes)}')


if __name__ == '__main__':
    run_command(main, ARGS)
