"""Measure seconds and memory of an iteration of trainings, on random images of one size, without reading files.

    python benchmarks/method_step.py [CONFIG[:STAGE] ...] [--size 144 192] [--batch-size 2] [--iters 10] [--rounds 3]

By default these are source-only, AdvEnt, and the main stages of SIM and SDCA from CARLA to CamVid, on the light network
with released weights. Each runs in a separate process, and they take turns. Ratios are to the first training, round by
round. Memory is the peak of the process; `base` is its memory before the first iteration.
"""

import argparse
import json
import resource
import statistics
import time
from pathlib import Path

from pairing import middle, ratio_to, take_turns

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ('source_only/carla2camvid', 'advent/carla2camvid', 'sim/carla2camvid:phase1', 'sdca/carla2camvid:adapt')


def training_of(name: str):
    """Return the config of a training: of a config file, or of one of its stages."""
    from mmuda.engine.launch import load_config
    from mmuda.stages import build_stages, make_context

    path, _, stage = name.partition(':')
    cfg = load_config(path)
    if not stage:
        return cfg
    stages = build_stages(cfg)
    return next(one for one in stages if one.name == stage).config(make_context(cfg, stages))


def batch(size: tuple[int, int], count: int, num_classes: int, seed: int) -> dict:
    """Return random images of both domains, with labels and pseudo labels of 16x16 squares."""
    import torch
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    generator = torch.Generator().manual_seed(seed)
    cells = [-(-side // 16) for side in size]

    def side() -> dict:
        images, samples = torch.randint(0, 256, (count, 3, *size), generator=generator, dtype=torch.uint8), []
        for _ in images:
            squares = torch.randint(0, num_classes, (1, *cells), generator=generator)
            label = squares.repeat_interleave(16, dim=1).repeat_interleave(16, dim=2)[:, : size[0], : size[1]]
            samples.append(SegDataSample())
            samples[-1].gt_sem_seg = PixelData(data=label)
        return dict(inputs=list(images), data_samples=samples)

    return dict(source=side(), target=side())


def memory() -> float:
    """Return the peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def measure(name: str, size: tuple[int, int], count: int, iters: int, threads: int) -> dict[str, float]:
    """Train some iterations in this process, and return seconds of an iteration, and memory in MiB."""
    import torch
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS

    from mmuda.engine import PerModuleOptimWrapperConstructor

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    cfg = training_of(name)
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    cfg.optim_wrapper.pop('constructor', None)
    wrappers = PerModuleOptimWrapperConstructor(cfg.optim_wrapper)(model)
    num_classes = cfg.model.segmentor.decode_head.num_classes
    batches = [batch(size, count, num_classes, seed) for seed in range(iters + 1)]
    base, seconds = memory(), []
    for data in batches:
        start = time.perf_counter()
        model.train_step(data, wrappers)
        seconds.append(time.perf_counter() - start)
    return dict(seconds=statistics.median(seconds[1:]), peak=memory(), base=base)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    configs = [str(ROOT / 'configs' / name).replace('camvid', 'camvid.py') for name in DEFAULT]
    parser.add_argument('configs', nargs='*', default=configs, metavar='CONFIG[:STAGE]')
    parser.add_argument('--size', type=int, nargs=2, default=(144, 192), metavar=('H', 'W'), help='size of the images')
    parser.add_argument('--batch-size', type=int, default=2, help='images of each domain')
    parser.add_argument('--iters', type=int, default=10, help='counted iterations of a process, after one warm-up')
    parser.add_argument('--rounds', type=int, default=3, help='processes of each config')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--one', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, tuple(args.size), args.batch_size, args.iters, args.threads)))
        return
    options = [f'--{name.replace("_", "-")}={getattr(args, name)}' for name in ('batch_size', 'iters', 'threads')]
    results = take_turns(__file__, args.configs, args.rounds, ['--size', *map(str, args.size), *options])
    first = results[args.configs[0]]
    print(f'{"training":36}{"s/iteration":>12}{"ratio":>8}{"base MiB":>10}{"peak MiB":>10}{"ratio":>8}')
    for name, runs in results.items():
        path, _, stage = name.partition(':')
        title = f'{Path(path).parent.name}/{Path(path).stem}' + (f' {stage}' if stage else '')
        print(
            f'{title:36}{middle(runs, "seconds"):12.3f}{ratio_to(first, runs, "seconds"):8.2f}'
            f'{middle(runs, "base"):10.0f}{middle(runs, "peak"):10.0f}{ratio_to(first, runs, "peak"):8.2f}'
        )


if __name__ == '__main__':
    main()
