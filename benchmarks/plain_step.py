"""Measure seconds and memory of an iteration of a method, ours against a plain PyTorch loop of its paper, in pairs.

    python benchmarks/plain_step.py [advent|cbst|sim|sdca|fada|dacs|daformer] [--divide 4] [--iters 5] [--rounds 3]
    python benchmarks/plain_step.py advent --variants plain mmuda mmuda+bfloat16 mmuda+channels_last+compile

The network is that of configs/METHOD/gta2city.py with random weights; ``--pair minicity`` takes a small one. The images
are random and have the sizes of the paper divided by ``--divide``, such as 180x320 + 128x256 for AdvEnt. The loops are
those of plain_loops.py. Options of a variant follow it with ``+``: bfloat16, float16, tf32, channels_last, compile.
Each variant runs in a separate process, and the variants take turns. Ratios are to the first variant, round by round.
The losses of the first iteration of each variant are compared with those of the first variant.
"""

import argparse
import gc
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pairing import middle, ratio_to, resident, take_turns
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = ('bfloat16', 'float16', 'tf32', 'channels_last', 'compile')
VARIANTS = ('plain', 'mmuda', 'mmuda+channels_last', 'mmuda+compile', 'mmuda+bfloat16', 'mmuda+bfloat16+channels_last')


class Method(NamedTuple):
    """The training that is measured, and its images.

    Attributes:
        folder: Folder of the configs.
        adaptor: Type of the adaptor. If the config has stages, the first training with this adaptor is measured.
        source: (H, W) of the source images in the paper.
        target: (H, W) of the target images.
        count: Images of each domain in a batch.
        label_stride: Stride at which labels are sampled.
        labelled_target: Whether target images have pseudo labels.
    """

    folder: str
    adaptor: str
    source: tuple[int, int] = (720, 1280)
    target: tuple[int, int] = (512, 1024)
    count: int = 1
    label_stride: int = 1
    labelled_target: bool = False


METHODS = dict(
    advent=Method('configs/advent', 'ADVENT'),
    cbst=Method('configs/cbst', 'SelfTraining', (504, 504), (504, 504), 1, 8, True),
    sim=Method('configs/sim', 'SIM'),
    sdca=Method('configs/sdca', 'SDCA'),
    fada=Method('configs/fada', 'FADA'),
    dacs=Method('configs/dacs', 'DACS', (512, 512), (512, 512), 2),
    daformer=Method('projects/daformer/configs', 'DAFormer', (512, 512), (512, 512), 2),
)


def training_of(name: str, pair: str) -> Any:
    """Return the config of the training of a method."""
    from mmengine.registry import init_default_scope

    from mmuda.engine.launch import load_config
    from mmuda.stages import TrainStage, build_stages, make_context

    cfg = load_config(ROOT / METHODS[name].folder / f'{pair}.py')
    init_default_scope('mmseg')
    if cfg.get('runner_type') != 'StagedRunner':
        return cfg
    stages = build_stages(cfg)
    context = make_context(cfg, stages)
    trainings = (stage.config(context) for stage in stages if isinstance(stage, TrainStage))
    return next(one for one in trainings if one.model.type == METHODS[name].adaptor)


def batch(method: Method, divide: int, num_classes: int, seed: int, device: str) -> dict:
    """Return random images of both domains, with labels and pseudo labels of squares."""
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    generator, stride, cell = torch.Generator().manual_seed(seed), method.label_stride, 32
    sides = {}
    for domain, whole in (('source', method.source), ('target', method.target)):
        height, width = (length // divide // stride * stride for length in whole)
        images, samples = [], []
        for _ in range(method.count):
            images.append(torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8).to(device))
            squares = torch.randint(0, num_classes, (1, -(-height // cell), -(-width // cell)), generator=generator)
            label = squares.repeat_interleave(cell, dim=1).repeat_interleave(cell, dim=2)[:, :height, :width]
            samples.append(SegDataSample())
            if domain == 'source' or method.labelled_target:
                samples[-1].gt_sem_seg = PixelData(data=label[:, ::stride, ::stride].to(device))
        sides[domain] = dict(inputs=images, data_samples=samples)
    return sides


def build(name: str, variant: str, pair: str, device: str) -> tuple[Callable[[dict], dict], nn.Module]:
    """Return the training step of a variant, from a collated batch to losses, and its adaptor."""
    from mmseg.registry import MODELS
    from plain_loops import LOOPS

    from mmuda.engine import PerModuleOptimWrapperConstructor
    from mmuda.engine.acceleration import compile_networks, compile_options, set_memory_format

    side, *options = variant.split('+')
    assert side in ('plain', 'mmuda') and set(options) <= set(OPTIONS), f'there is no variant {variant}'
    precision = next((one for one in options if one.endswith('16')), None)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = 'tf32' in options
    torch.backends.cudnn.benchmark = True
    cfg = training_of(name, pair)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).to(device).train()
    with_full_state(model)
    set_memory_format(model, 'channels_last' if 'channels_last' in options else None)
    if 'compile' in options:
        compile_networks(model, compile_options(True) or {})
    torch.manual_seed(0)
    if side == 'plain':
        loop = LOOPS[name](model, None if precision is None else getattr(torch, precision))
        return lambda data: loop.step(model.data_preprocessor(data, training=True)), model
    optimizers = {key: value for key, value in cfg.optim_wrapper.items() if key != 'constructor'}
    if optimizers['segmentor'].optimizer.type == 'LegacySGD':  # the plain loop updates each weight once in a step
        optimizers['segmentor'].pop('repeats', None)
        optimizers['segmentor'].optimizer.pop('version', None)
        optimizers['segmentor'].optimizer.type = 'SGD'
    wrappers = PerModuleOptimWrapperConstructor(dict(optimizers, precision=precision))(model)
    return lambda data: model.train_step(data, wrappers), model


def with_full_state(model: nn.Module) -> None:
    """Fill the memories of a model, so that the first iteration has all the work of a later one."""
    for memory in (getattr(model, name, None) for name in ('stuff_memory', 'thing_memory')):
        if memory is not None:
            memory.entries.copy_(torch.rand(memory.entries.shape, generator=torch.Generator().manual_seed(0)))
            memory.count.fill_(2 * memory.slots)
    if hasattr(model, 'delta'):
        model.delta = 0.0  # all target pixels of SDCA take part


def now(device: str) -> float:
    """Return the time after the device has finished all its work."""
    if device == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(
    name: str, variant: str, pair: str = 'gta2city', divide: int = 1, iters: int = 5, warm_up: int = 1, device='cpu'
) -> dict:
    """Train some iterations in this process, and return their figures.

    Returns:
        ``seconds`` of a step (median), ``first`` (seconds of the first step), ``memory`` in GiB, and ``losses`` of the
        first iteration. On a GPU, the memory is the peak that PyTorch allocated. On a CPU, it is the growth of the peak
        of the process.
    """
    step, model = build(name, variant, pair, device)
    num_classes = model.num_classes
    # The small networks predict at the size of the labels.
    method = METHODS[name] if pair == 'gta2city' else METHODS[name]._replace(label_stride=1)
    batches = [batch(method, divide, num_classes, seed, device) for seed in range(3)]
    if device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
    base, seconds, first = resident(), [], None
    for n in range(warm_up + iters):
        data = {domain: dict(side) for domain, side in batches[n % len(batches)].items()}
        start = now(device)
        logs = step(data)
        seconds.append(now(device) - start)
        first = first or {key: float(value) for key, value in logs.items() if key.startswith('loss')}
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base
    if device == 'cuda':
        peak = torch.cuda.max_memory_allocated()
    del step, model, logs, data, batches
    gc.collect()
    return dict(seconds=statistics.median(seconds[warm_up:]), first=seconds[0], memory=peak / 2**30, losses=first)


def apart(expected: dict, found: dict) -> float:
    """Return the largest relative difference of losses of the same name.

    Raises:
        AssertionError: If none of them have the same name.
    """
    both = set(expected) & set(found)
    assert both, f'no loss is both in {list(expected)} and {list(found)}'
    return max(abs(expected[key] - found[key]) / max(abs(expected[key]), 1e-6) for key in both)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('method', nargs='?', default='advent', choices=METHODS)
    parser.add_argument('--pair', default='gta2city', choices=['gta2city', 'minicity'], help='config of the method')
    parser.add_argument(
        '--divide', type=int, default=4, help='divide height and width of the images of the paper by this number'
    )
    parser.add_argument('--iters', type=int, default=5, help='counted iterations of a process, after one warm-up')
    parser.add_argument('--rounds', type=int, default=3, help='processes of each variant')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--device', default='cpu', choices=['cpu', 'cuda'])
    parser.add_argument('--variants', nargs='+', default=VARIANTS, metavar='VARIANT')
    parser.add_argument('--one', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        torch.set_num_threads(args.threads)
        print(json.dumps(measure(args.method, args.one, args.pair, args.divide, args.iters, device=args.device)))
        return
    options = [f'--{key}={getattr(args, key)}' for key in ('pair', 'divide', 'iters', 'threads', 'device')]
    results = take_turns(__file__, args.variants, args.rounds, [args.method, *options])
    first = results[args.variants[0]]
    print(f'{args.method}, {args.pair}, sizes of the paper / {args.divide}, {args.device}, {args.threads} threads')
    print(f'{"variant":32}{"s/iteration":>12}{"GiB":>8}{"time ratio":>12}{"memory ratio":>14}  losses apart by')
    for variant, runs in results.items():
        print(
            f'{variant:32}{middle(runs, "seconds"):12.3f}{middle(runs, "memory"):8.2f}'
            f'{ratio_to(first, runs, "seconds"):12.2f}{ratio_to(first, runs, "memory"):14.2f}'
            f'  {apart(first[0]["losses"], runs[0]["losses"]):.1e}'
        )


if __name__ == '__main__':
    main()
