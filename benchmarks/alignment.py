"""Measure seconds and memory of SIM's losses in one iteration, ours against a loop over regions, in pairs.

    python benchmarks/alignment.py [--rounds 3] [--iters 5] [--threads 2]

One iteration writes the stuff and instances of the source into the memories, then computes both alignment losses of the
target and their gradient, without a network. There are 2048 channels, 91x161 cells on the source with 66 instances,
65x129 cells on the target with 49, eight stuff classes, and full memories. The plain variant follows the paper's
description region by region: a mask of the whole map, a masked sum, a call of the classifier, the distances to the
memory of the class. Each variant runs in a separate process; the variants take turns. Memory is the peak above that of
the process with its inputs. Losses, memories and gradients of both variants are compared.
"""

import json

import cv2
import numpy as np
import torch
from pairing import clock, compare, parser
from torch import Tensor, nn

STUFF, THINGS = (0, 1, 2, 3, 4, 8, 9, 10), (5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 18)
CLASSES, PROTOTYPES, KEPT = 19, 50, 10


def class_map(height: int, width: int, instances: int) -> np.ndarray:
    """Return a map (H, W): bands of all stuff classes, and squares of thing classes of different sizes on them."""
    classes = np.array(STUFF)[np.arange(height) * len(STUFF) // height].repeat(width).reshape(height, width)
    columns = int(np.ceil(np.sqrt(instances * width / height)))
    rows = int(np.ceil(instances / columns))
    for i in range(instances):
        top, left = (i // columns) * (height // rows), (i % columns) * (width // columns)
        side = 2 + i % (min(height // rows, width // columns) - 2)
        classes[top : top + side, left : left + side] = THINGS[i % len(THINGS)]
    return classes


def inputs(seed: int, channels: int, height: int, width: int, instances: int) -> tuple[Tensor, Tensor]:
    """Return features (1, C, h, w), not negative as after a ReLU, and the map of predicted classes (1, h, w)."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(1, channels, height, width, generator=generator).relu_()
    classes = torch.from_numpy(class_map(height, width, instances))[None]
    # The features of a class are distinct, so that most means pass the classifier's check.
    features[:, :CLASSES] += 40 * torch.nn.functional.one_hot(classes, CLASSES).permute(0, 3, 1, 2)
    return features.requires_grad_(), classes


def classifier(channels: int) -> nn.Module:
    from mmseg.registry import MODELS

    torch.manual_seed(0)
    head = MODELS.build(
        dict(type='DeepLabV2Head', in_channels=channels, in_index=0, num_classes=CLASSES, summed=(0, 1))
    )
    with torch.no_grad():
        for branch in head.branches:
            branch.weight.mul_(0.01)
            branch.weight[range(CLASSES), range(CLASSES), 1, 1] = 1.0
    return head


class Plain:
    """SIM's losses region by region, as the paper describes them."""

    def __init__(self, channels: int, head: nn.Module | None = None) -> None:
        self.head = classifier(channels) if head is None else head
        generator = torch.Generator().manual_seed(9)
        self.stuff = torch.rand(len(STUFF), PROTOTYPES, channels, generator=generator)
        self.things = torch.rand(len(THINGS), PROTOTYPES * KEPT, channels, generator=generator)
        self.places = {c: 0 for c in range(CLASSES)}

    @staticmethod
    def components(mask: np.ndarray) -> list[np.ndarray]:
        count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        masks = [labels == number for number in range(1, count)]
        return sorted(masks, key=lambda one: -one.sum())[:KEPT]

    @staticmethod
    def mean(features: Tensor, mask: Tensor) -> Tensor:
        return (features[0] * mask).sum(dim=(1, 2)) / mask.sum().clamp(min=1)

    def says(self, vector: Tensor) -> int:
        maps = [None] * self.head.in_index + [vector[None, :, None, None]]
        training = self.head.training
        with torch.no_grad():
            found = int(self.head.eval()(maps)[0, :, 0, 0].argmax())
        self.head.train(training)
        return found

    def remember(self, features: Tensor, classes: Tensor) -> None:
        with torch.no_grad():
            for memory, ids in ((self.stuff, STUFF), (self.things, THINGS)):
                for row, c in enumerate(ids):
                    whole = classes[0].cpu().numpy() == c
                    for mask in (
                        [whole] if ids is STUFF and whole.any() else self.components(whole) if ids is THINGS else []
                    ):
                        vector = self.mean(features, torch.from_numpy(mask).float().to(features.device))
                        if self.says(vector) == c:
                            memory[row, self.places[c] % memory.shape[1]] = vector
                            self.places[c] += 1

    def losses(self, features: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        stuff = ins = features.sum() * 0
        for row, c in enumerate(STUFF):
            mask = classes[0] == c
            vector = self.mean(features, mask.float())
            if mask.any() and self.says(vector) == c:
                stuff = stuff + (self.stuff[row] - vector).abs().mean(dim=1).min()
        for row, c in enumerate(THINGS):
            masks = self.components(classes[0].cpu().numpy() == c)
            for mask in masks:
                vector = self.mean(features, torch.from_numpy(mask).float().to(features.device))
                ins = ins + (self.things[row] - vector).abs().mean(dim=1).min() / len(masks)
        return stuff, ins

    def memory(self) -> float:
        return float(self.stuff.double().sum() + self.things.double().sum())


class Ours:
    """SIM's losses as the adaptor computes them."""

    def __init__(self, channels: int) -> None:
        from mmengine.config import ConfigDict
        from mmengine.model import BaseModule
        from mmseg.registry import MODELS

        @MODELS.register_module(force=True)
        class Lookup(BaseModule):
            with_auxiliary_head, align_corners, num_classes = False, True, CLASSES

        lookup = MODELS.build(ConfigDict(type='Lookup'))
        lookup.decode_head = classifier(channels)
        MODELS.register_module(name='ThisLookup', force=True)(type('ThisLookup', (), dict(__new__=lambda cls: lookup)))
        self.model = MODELS.build(
            ConfigDict(
                type='SIM',
                segmentor=dict(type='ThisLookup'),
                prototypes=PROTOTYPES,
                discriminator=dict(type='FCDiscriminatorHead', in_channels=CLASSES, base_channels=2),
                loss_weights=dict(stuff=1.0, ins=1.0),
            )
        )
        plain = Plain(channels)
        for memory, entries in ((self.model.stuff_memory, plain.stuff), (self.model.thing_memory, plain.things)):
            memory.entries.copy_(entries)
            memory.count.fill_(2 * memory.slots)

    @staticmethod
    def outputs(features: Tensor, classes: Tensor):
        from mmuda.models.segmentors import SegOutputs

        logits = torch.nn.functional.one_hot(classes, CLASSES).permute(0, 3, 1, 2).float()
        return SegOutputs(dict(main=logits), (features,), tuple(classes.shape[-2:]), True)

    def remember(self, features: Tensor, classes: Tensor) -> None:
        from mmengine.structures import PixelData
        from mmseg.structures import SegDataSample

        self.model.update_memories(
            self.outputs(features, classes), dict(data_samples=[SegDataSample(gt_sem_seg=PixelData(data=classes))])
        )

    def losses(self, features: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        found = self.model.alignment_losses(self.outputs(features, classes))
        return found['loss_stuff'], found['loss_ins']

    def memory(self) -> float:
        return float(self.model.stuff_memory.entries.double().sum() + self.model.thing_memory.entries.double().sum())


VARIANTS: dict[str, type] = dict(plain=Plain, ours=Ours)


def measure(variant: str, iters: int, threads: int, channels: int) -> dict:
    torch.set_num_threads(threads)
    import mmuda.models  # noqa: F401

    side = VARIANTS[variant](channels)
    source, target = inputs(0, channels, 91, 161, 66), inputs(1, channels, 65, 129, 49)
    losses: tuple[Tensor, ...] = ()

    def align() -> None:
        nonlocal losses
        target[0].grad = None
        losses = side.losses(*target)
        sum(losses).backward()

    found = clock(dict(remember=lambda: side.remember(*source), align=align), iters)
    figures = [losses[0].item(), losses[1].item(), target[0].grad.norm().item(), side.memory()]
    return dict(**found, figures=figures)


def main() -> None:
    options = parser(__doc__)
    options.add_argument('--channels', type=int, default=2048)
    args = options.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, args.iters, args.threads, args.channels)))
        return
    print(
        f'{args.channels} channels, source 91x161 with 66 instances, target 65x129 with 49, {args.threads} threads; '
        f'medians of {args.rounds} rounds of {args.iters} iterations'
    )
    options = [f'--{name}={getattr(args, name)}' for name in ('iters', 'threads', 'channels')]
    compare(__file__, options, args.rounds, dict(remember='memories', align='alignment'))


if __name__ == '__main__':
    main()
