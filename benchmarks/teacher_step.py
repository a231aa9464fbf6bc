"""Measure seconds and memory of one DACS iteration, ours against a plain loop, in pairs.

    python benchmarks/teacher_step.py [--rounds 3] [--iters 3] [--threads 2] [--height 256] [--width 256]
    python benchmarks/teacher_step.py --device cuda --height 512 --width 512

The network is DeepLabV2 on ResNet-101 with random weights and 19 classes. Batches are 2 + 2, and every batch is
jittered and blurred. The plain loop is the paper's algorithm with PyTorch alone: two losses, one backward pass, a
teacher that is averaged parameter by parameter, classes found by ``unique``, colours changed in HSV image by image,
blur by convolutions with the whole kernel. Both variants have the same network, optimizer and random numbers. The
losses of their first iteration and the norms of their last weights are compared. Each variant runs in a separate
process; the variants take turns. On a GPU, ours makes one more step in which every wait for the device is an error.
"""

import json
import resource
import statistics
import time
from collections.abc import Callable

import torch
from pairing import compare, parser, resident
from plain_loops import DACS
from torch import Tensor, nn

CLASSES, MEAN = 19, (104.00698793, 116.66876762, 122.67891434)
OFTEN = dict(jitter_probability=1.0, blur_probability=1.0)
SGD = dict(lr=2.5e-4, momentum=0.9, weight_decay=5e-4)


def build() -> nn.Module:
    from mmengine.config import ConfigDict
    from mmseg.registry import MODELS

    import mmuda  # noqa: F401

    torch.manual_seed(0)
    return MODELS.build(
        ConfigDict(
            type='DACS',
            segmentor=dict(
                type='AdaptiveEncoderDecoder',
                backbone=dict(type='DeepLabResNet', depth=101),
                decode_head=dict(type='DeepLabV2Head', num_classes=CLASSES, in_channels=2048, in_index=3),
                test_cfg=dict(mode='whole'),
            ),
            augmentation=OFTEN,
            data_preprocessor=dict(type='DomainPairPreprocessor', mean=MEAN, std=(1.0, 1.0, 1.0)),
        )
    )


def batch(size: tuple[int, int], step: int, device: str) -> dict:
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    generator = torch.Generator().manual_seed(step)

    def side() -> dict:
        images = [torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8) for _ in range(2)]
        samples = [SegDataSample() for _ in images]
        for sample in samples:
            sample.gt_sem_seg = PixelData(data=torch.randint(0, CLASSES, (1, *size), generator=generator).to(device))
        return dict(inputs=[image.to(device) for image in images], data_samples=samples)

    return dict(source=side(), target=side())


class Stopwatch:
    """Sum of the times of parts of an iteration."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}

    def now(self) -> float:
        if self.device == 'cuda':
            torch.cuda.synchronize()
        return time.perf_counter()

    def timed(self, name: str, part: Callable) -> Callable:
        """Return a function that also adds its time to the part ``name``."""

        def run(*args, **kwargs):
            start = self.now()
            result = part(*args, **kwargs)
            self.seconds[name] = self.seconds.get(name, 0.0) + self.now() - start
            return result

        return run


class Plain:
    """The algorithm of the paper and of the released code."""

    def __init__(self, model: nn.Module, watch: Stopwatch) -> None:
        self.preprocess, self.loop = model.data_preprocessor, DACS(model)
        self.student, self.teacher = model.segmentor, self.loop.teacher.segmentor
        self.loop.mix, self.loop.update = watch.timed('mix', self.loop.mix), watch.timed('update', self.loop.update)

    def step(self, data: dict) -> list[Tensor]:
        losses = self.loop.step(self.preprocess(data, training=True))
        return [losses['loss_seg_main'], losses['loss_mix_main']]


class Ours:
    """DACS as the configs train it."""

    def __init__(self, model: nn.Module, watch: Stopwatch) -> None:
        from mmuda.engine import PerModuleOptimWrapperConstructor

        self.model, self.student, self.teacher = model, model.segmentor, model.teacher.segmentor
        self.wrappers = PerModuleOptimWrapperConstructor(dict(segmentor=dict(optimizer=dict(type='SGD', **SGD))))(model)
        model.mix, model.update_teacher = watch.timed('mix', model.mix), watch.timed('update', model.update_teacher)

    def step(self, data: dict) -> list[Tensor]:
        logs = self.model.train_step(data, self.wrappers)
        return [logs['loss_seg_main'], logs['loss_mix_main']]


VARIANTS: dict[str, Callable] = dict(plain=Plain, ours=Ours)


def measure(variant: str, iters: int, threads: int, size: tuple[int, int], device: str) -> dict:
    torch.set_num_threads(threads)
    watch = Stopwatch(device)
    side = VARIANTS[variant](build().to(device).train(), watch)
    batches = [batch(size, step, device) for step in range(iters + 1)]
    base = resident()
    rows: list[dict[str, float]] = []
    losses: list[Tensor] = []
    for step, data in enumerate(batches):
        watch.seconds = {}
        start = watch.now()
        losses += side.step(data)
        rows.append(dict(watch.seconds, both=watch.now() - start))
        if step == 0 and device == 'cuda':
            torch.cuda.reset_peak_memory_stats()
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base
    if device == 'cuda':
        peak = torch.cuda.max_memory_allocated()
        check_waits(side, variant, batch(size, 0, device))
    figures = [
        loss.item() for loss in losses[:2]
    ]  # rounding errors grow over the steps of a network with random weights
    figures += [sum(p.double().norm().item() for p in network.parameters()) for network in (side.student, side.teacher)]
    medians = {name: statistics.median(row[name] for row in rows[1:]) for name in rows[0]}
    return dict(**medians, memory=peak / 2**30, figures=figures)


def check_waits(side, variant: str, data: dict) -> None:
    """Run one more step of our variant, in which every wait for the GPU is an error."""
    if variant == 'ours':
        for name in ('mix', 'update_teacher'):
            delattr(side.model, name)  # the stopwatch waits for the GPU
        torch.cuda.set_sync_debug_mode('error')
        side.step(data)
        torch.cuda.set_sync_debug_mode('default')


def main() -> None:
    options = parser(__doc__)
    options.add_argument('--height', type=int, default=256)
    options.add_argument('--width', type=int, default=256)
    options.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    args = options.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, args.iters, args.threads, (args.height, args.width), args.device)))
        return
    print(
        f'batch 2 + 2 of {args.height}x{args.width}, {args.device}, {args.threads} threads; '
        f'medians of {args.rounds} rounds of {args.iters} iterations'
    )
    passed = [f'--{name}={getattr(args, name)}' for name in ('iters', 'threads', 'height', 'width', 'device')]
    rows = dict(update='teacher update', mix='mixing')
    rounds = compare(__file__, passed, args.rounds, rows, whole='iteration')
    share = statistics.median((ours['update'] + ours['mix']) / ours['both'] for ours in rounds)
    print(f'teacher update and mixing are {100 * share:.1f} % of our iteration')


if __name__ == '__main__':
    main()
