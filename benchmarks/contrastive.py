"""Seconds and memory of SDCA's own work in one iteration, ours against the plain expansion, paired in one run.

    python benchmarks/contrastive.py [--rounds 3] [--iters 5] [--threads 2]

One iteration takes the source features into the statistics of their classes, then computes the contrastive losses of the
source and of the target features and their gradients, without network: 2048 channels, 65x129, 19 classes by default.
The plain side expands the paper's formulas as they stand, with nothing but PyTorch: features as rows (n, D), tensors
(n, C, D) for the statistics, normalised rows and the variance of each row's class (n, D) for the losses. Each variant
runs in a process of its own; the variants take turns. Memory is the peak above what the process held when its inputs were
made (so it includes the gradients), and the losses and statistics of both sides are compared.
"""
import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Dict, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

CLASSES, TAU, IGNORED = 19, 100., 255
COUNTED = dict(estimator='statistics', losses='losses', both='both')


def make_side(seed: int, channels: int, height: int, width: int) -> Tuple[Tensor, Tensor]:
    """Features (1, D, h, w) as behind a ReLU, and labels (1, h, w) of which 2 % are ignored."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(1, channels, height, width, generator=generator).relu_()  # in place: the peak is what remains
    labels = torch.randint(0, CLASSES, (1, height, width), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.02] = IGNORED
    return maps.requires_grad_(), labels


class Plain:
    """The formulas as they stand."""

    def __init__(self, channels: int) -> None:
        self.mean = torch.zeros(CLASSES, channels)
        self.variance = torch.zeros(CLASSES, channels)
        self.count = torch.zeros(CLASSES)

    @staticmethod
    def rows(maps: Tensor, labels: Tensor) -> Tuple[Tensor, Tensor]:
        labels = labels.flatten()
        valid = labels != IGNORED
        return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])[valid], labels[valid]

    @torch.no_grad()
    def update(self, maps: Tensor, labels: Tensor) -> None:
        rows, labels = self.rows(maps, labels)
        members = F.one_hot(labels, CLASSES).to(rows.dtype)[:, :, None]
        count = members.sum(dim=0)
        divisor = count.clamp(min=1)
        spread = rows[:, None] * members
        mean = spread.sum(dim=0) / divisor
        variance = (spread - mean * members).pow(2).sum(dim=0) / divisor
        weight = count / (count + self.count[:, None]).clamp(min=1)
        self.variance = ((1 - weight) * self.variance + weight * variance
                         + weight * (1 - weight) * (self.mean - mean).pow(2))
        self.mean = (1 - weight) * self.mean + weight * mean
        self.count = self.count + count[:, 0]

    def loss(self, maps: Tensor, labels: Tensor) -> Tensor:
        rows, labels = self.rows(maps, labels)
        rows = F.normalize(rows)
        mean, variance = F.normalize(self.mean), F.normalize(self.variance)
        logits = (rows @ mean.T + rows.pow(2) @ variance.T / (2 * TAU)) / TAU
        return F.cross_entropy(logits, labels) + (rows.pow(2) * variance[labels]).sum(dim=1).mean() / (2 * TAU**2)


class Ours:
    """What SDCA's adaptor calls."""

    def __init__(self, channels: int) -> None:
        from mmuda.models.class_statistics import ClassStatistics
        self.statistics = ClassStatistics(CLASSES, channels)

    mean = property(lambda self: self.statistics.mean)
    variance = property(lambda self: self.statistics.variance)

    def update(self, maps: Tensor, labels: Tensor) -> None:
        self.statistics.update(maps, labels, IGNORED)

    def loss(self, maps: Tensor, labels: Tensor) -> Tensor:
        from mmuda.models.losses import contrastive_bound
        return contrastive_bound(maps, labels, self.mean, self.variance, TAU, IGNORED)


VARIANTS: Dict[str, Callable] = dict(plain=Plain, ours=Ours)


def resident() -> int:
    """Bytes of memory that this process has now."""
    return int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize()


def measure(variant: str, iters: int, threads: int, channels: int, height: int, width: int) -> dict:
    torch.set_num_threads(threads)
    import mmuda.models  # noqa: F401
    side = VARIANTS[variant](channels)
    source, target = (make_side(seed, channels, height, width) for seed in (0, 1))
    base = resident()
    seconds = {part: [] for part in COUNTED}
    for _ in range(iters + 1):
        for maps, _ in (source, target):
            maps.grad = None
        start = time.perf_counter()
        side.update(*source)
        middle = time.perf_counter()
        loss = side.loss(*source) + side.loss(*target)
        loss.backward()
        end = time.perf_counter()
        for part, value in dict(estimator=middle - start, losses=end - middle, both=end - start).items():
            seconds[part].append(value)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = [loss.item(), side.mean.norm().item(), side.variance.norm().item(),
               source[0].grad.norm().item(), target[0].grad.norm().item()]
    middle = {part: statistics.median(values[1:]) for part, values in seconds.items()}
    return dict(**middle, memory=(peak - base) / 2**30, figures=figures)


def run(variant: str, options: list) -> dict:
    out = subprocess.run([sys.executable, __file__, '--one', variant, *options], check=True, capture_output=True, text=True)
    return json.loads(out.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=3, help='processes of each variant')
    parser.add_argument('--iters', type=int, default=5, help='counted iterations of a process, after one warm-up')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--channels', type=int, default=2048)
    parser.add_argument('--height', type=int, default=65)
    parser.add_argument('--width', type=int, default=129)
    parser.add_argument('--one', choices=VARIANTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, args.iters, args.threads, args.channels, args.height, args.width)))
        return
    options = [f'--{name}={getattr(args, name)}' for name in ('iters', 'threads', 'channels', 'height', 'width')]
    pairs = []
    for index in range(args.rounds):
        order = list(VARIANTS) if index % 2 == 0 else list(VARIANTS)[::-1]
        found = {variant: run(variant, options) for variant in order}
        pairs.append([found[variant] for variant in VARIANTS])
    print(f'{args.channels} channels, {args.height}x{args.width}, {CLASSES} classes, {args.threads} threads; '
          f'medians of {args.rounds} rounds of {args.iters} iterations')
    print(f'{"":24}{"plain":>10}{"ours":>10}{"plain / ours":>14}')
    rows = {f'{label}, s': key for key, label in COUNTED.items()}
    for label, key in {**rows, 'memory above base, GiB': 'memory'}.items():
        plain, ours = (statistics.median(pair[i][key] for pair in pairs) for i in (0, 1))
        ratio = statistics.median(pair[0][key] / pair[1][key] for pair in pairs)
        print(f'{label:24}{plain:10.3f}{ours:10.3f}{ratio:14.1f}')
    apart = max(abs(a - b) / abs(a) for pair in pairs for a, b in zip(pair[0]['figures'], pair[1]['figures']))
    print(f'loss, norms of the statistics and of the gradients: apart by {apart:.1e} of their values at most')


if __name__ == '__main__':
    main()
