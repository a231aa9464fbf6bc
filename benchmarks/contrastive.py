"""Measure seconds and memory of SDCA's losses in one iteration, ours against the plain expansion, in pairs.

    python benchmarks/contrastive.py [--rounds 3] [--iters 5] [--threads 2]

One iteration adds the source features to the statistics of their classes, then computes the contrastive losses of the
source and of the target features and their gradients, without a network. By default there are 2048 channels, 65x129
cells and 19 classes. The plain variant computes the paper's formulas directly, with PyTorch alone: features as rows (n,
D), tensors (n, C, D) for the statistics, normalised rows and the variance of each row's class (n, D) for the losses.
Each variant runs in a separate process; the variants take turns. Memory is the peak above that of the process with its
inputs, so it includes the gradients. Losses and statistics of both variants are compared.
"""

import json
from collections.abc import Callable

import torch
import torch.nn.functional as F
from pairing import clock, compare, parser
from torch import Tensor

CLASSES, TAU, IGNORED = 19, 100.0, 255


def make_side(seed: int, channels: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return features (1, D, h, w), not negative as after a ReLU, and labels (1, h, w) of which 2 % are ignored."""
    generator = torch.Generator().manual_seed(seed)
    # In place, because a second copy would raise the peak.
    maps = torch.randn(1, channels, height, width, generator=generator).relu_()
    labels = torch.randint(0, CLASSES, (1, height, width), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.02] = IGNORED
    return maps.requires_grad_(), labels


class Plain:
    """The formulas of the paper, computed directly."""

    def __init__(self, channels: int, device: torch.device | str = 'cpu') -> None:
        self.mean = torch.zeros(CLASSES, channels, device=device)
        self.variance = torch.zeros(CLASSES, channels, device=device)
        self.count = torch.zeros(CLASSES, device=device)

    @staticmethod
    def rows(maps: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
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
        self.variance = (
            (1 - weight) * self.variance + weight * variance + weight * (1 - weight) * (self.mean - mean).pow(2)
        )
        self.mean = (1 - weight) * self.mean + weight * mean
        self.count = self.count + count[:, 0]

    def loss(self, maps: Tensor, labels: Tensor) -> Tensor:
        rows, labels = self.rows(maps, labels)
        rows = F.normalize(rows)
        mean, variance = F.normalize(self.mean), F.normalize(self.variance)
        logits = (rows @ mean.T + rows.pow(2) @ variance.T / (2 * TAU)) / TAU
        return F.cross_entropy(logits, labels) + (rows.pow(2) * variance[labels]).sum(dim=1).mean() / (2 * TAU**2)


class Ours:
    """The losses and statistics as SDCA's adaptor computes them."""

    def __init__(self, channels: int) -> None:
        from mmuda.models.memories.class_statistics import ClassStatistics

        self.statistics = ClassStatistics(CLASSES, channels)

    mean = property(lambda self: self.statistics.mean)
    variance = property(lambda self: self.statistics.variance)

    def update(self, maps: Tensor, labels: Tensor) -> None:
        self.statistics.update(maps, labels, IGNORED)

    def loss(self, maps: Tensor, labels: Tensor) -> Tensor:
        from mmuda.models.losses import contrastive_bound

        return contrastive_bound(maps, labels, self.mean, self.variance, TAU, IGNORED)


VARIANTS: dict[str, Callable] = dict(plain=Plain, ours=Ours)


def measure(variant: str, iters: int, threads: int, channels: int, height: int, width: int) -> dict:
    torch.set_num_threads(threads)
    import mmuda.models  # noqa: F401

    side = VARIANTS[variant](channels)
    source, target = (make_side(seed, channels, height, width) for seed in (0, 1))
    loss = torch.zeros(())

    def losses() -> None:
        nonlocal loss
        source[0].grad = target[0].grad = None
        loss = side.loss(*source) + side.loss(*target)
        loss.backward()

    found = clock(dict(estimator=lambda: side.update(*source), losses=losses), iters)
    figures = [
        loss.item(),
        side.mean.norm().item(),
        side.variance.norm().item(),
        source[0].grad.norm().item(),
        target[0].grad.norm().item(),
    ]
    return dict(**found, figures=figures)


def main() -> None:
    options = parser(__doc__)
    options.add_argument('--channels', type=int, default=2048)
    options.add_argument('--height', type=int, default=65)
    options.add_argument('--width', type=int, default=129)
    args = options.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, args.iters, args.threads, args.channels, args.height, args.width)))
        return
    print(
        f'{args.channels} channels, {args.height}x{args.width}, {CLASSES} classes, {args.threads} threads; '
        f'medians of {args.rounds} rounds of {args.iters} iterations'
    )
    passed = [f'--{name}={getattr(args, name)}' for name in ('iters', 'threads', 'channels', 'height', 'width')]
    compare(__file__, passed, args.rounds, dict(estimator='statistics', losses='losses'))


if __name__ == '__main__':
    main()
