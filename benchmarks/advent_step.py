"""Seconds and memory of one AdvEnt iteration, ours against a plain loop, paired in one run.

    python benchmarks/advent_step.py [--iters 8] [--threads 2]

DeepLabV2 on ResNet-101 with random weights, two levels, 19 classes, batch 1, source 3x180x320, target 3x128x256. The
plain loop is the straightforward one of the paper's algorithm: the same network, upsampled maps kept from the
segmentation losses for the discriminators, torch's SGD and Adam. Each variant runs in a process of its own; the
variants take turns.
"""

import argparse
import json
import resource
import statistics
import time

import numpy as np
import torch
import torch.nn.functional as F
from pairing import middle, ratio_to, take_turns

CLASSES, SOURCE, TARGET = 19, (180, 320), (128, 256)
VARIANTS = ('plain', 'mmuda', 'mmuda channels-last', 'mmuda bfloat16', 'mmuda bfloat16 channels-last')


def config() -> dict:
    from mmengine.config import ConfigDict

    head = dict(type='DeepLabV2Head', num_classes=CLASSES)
    critic = dict(type='FCDiscriminatorHead', in_channels=CLASSES)
    return ConfigDict(
        type='ADVENT',
        segmentor=dict(
            type='AdaptiveEncoderDecoder',
            backbone=dict(type='DeepLabResNet', depth=101),
            auxiliary_head=dict(head, in_channels=1024, in_index=2),
            decode_head=dict(head, in_channels=2048, in_index=3),
            test_cfg=dict(mode='whole'),
        ),
        discriminator=critic,
        aux_discriminator=critic,
        data_preprocessor=dict(type='DomainPairPreprocessor'),
    )


def batch() -> dict:
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    rng = np.random.default_rng(0)

    def side(size, labelled):
        sample = SegDataSample()
        if labelled:
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(rng.integers(0, CLASSES, (1, *size))))
        image = torch.from_numpy(rng.integers(0, 256, (3, *size), dtype=np.uint8))
        return dict(inputs=[image], data_samples=[sample])

    return dict(source=side(SOURCE, True), target=side(TARGET, False))


def plain_step(model, data: dict, optimizers: list) -> None:
    """One iteration of the paper with nothing but PyTorch."""
    net, critics = model.segmentor, dict(aux=model.aux_discriminator, main=model.discriminator)
    label = data['source']['data_samples'][0].gt_sem_seg.data
    for optimizer in optimizers:
        optimizer.zero_grad()
    for critic in critics.values():
        critic.requires_grad_(False)

    def maps(images, size):
        logits = net(images[0][None].float(), mode='outputs').logits
        return {k: F.interpolate(v, size=size, mode='bilinear', align_corners=True) for k, v in logits.items()}

    def information(logits):
        p = F.softmax(logits, dim=1)
        return -p * torch.log2(p + 1e-30) / np.log2(CLASSES)

    def judge(level, logits, domain):
        score = critics[level](information(logits))
        return F.binary_cross_entropy_with_logits(score, torch.full_like(score, domain))

    source = maps(data['source']['inputs'], SOURCE)
    (
        F.cross_entropy(source['main'], label, ignore_index=255)
        + 0.1 * F.cross_entropy(source['aux'], label, ignore_index=255)
    ).backward()
    target = maps(data['target']['inputs'], TARGET)
    (0.001 * judge('main', target['main'], 0.0) + 0.0002 * judge('aux', target['aux'], 0.0)).backward()
    for critic in critics.values():
        critic.requires_grad_(True)
    for level in critics:
        (judge(level, source[level].detach(), 0.0) / 2).backward()
    for level in critics:
        (judge(level, target[level].detach(), 1.0) / 2).backward()
    for optimizer in optimizers:
        optimizer.step()


def measure(variant: str, iters: int, threads: int) -> dict:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    from mmseg.registry import MODELS

    import mmuda  # noqa: F401
    from mmuda.engine import PerModuleOptimWrapperConstructor

    model = MODELS.build(config()).train()
    sgd = dict(type='SGD', lr=2.5e-4, momentum=0.9, weight_decay=5e-4)
    adam = dict(type='Adam', lr=1e-4, betas=(0.9, 0.99))
    wrappers = PerModuleOptimWrapperConstructor(
        dict(
            precision='bfloat16' if 'bfloat16' in variant else None,
            segmentor=dict(optimizer=sgd),
            aux_discriminator=dict(optimizer=adam),
            discriminator=dict(optimizer=adam),
        )
    )(model)
    if 'channels-last' in variant:
        model = model.to(memory_format=torch.channels_last)
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(iters + 1):
        data = batch()
        start = time.perf_counter()
        if variant == 'plain':
            plain_step(model, data, [wrapper.optimizer for wrapper in wrappers.values()])
        else:
            model.train_step(data, wrappers)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return dict(seconds=statistics.median(seconds[1:]), peak=peak / 2**20, base=base / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--iters', type=int, default=5, help='counted iterations of a process, after one warm-up')
    parser.add_argument('--rounds', type=int, default=3, help='processes of each variant')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--variants', nargs='+', choices=VARIANTS, default=VARIANTS)
    parser.add_argument('--one', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, args.iters, args.threads)))
        return
    results = take_turns(__file__, args.variants, args.rounds, [f'--iters={args.iters}', f'--threads={args.threads}'])
    first = results[args.variants[0]]
    print(f'{"variant":32}{"s/iteration":>12}{"peak GiB":>10}{"time ratio":>12}{"memory ratio":>14}')
    for variant, runs in results.items():
        print(
            f'{variant:32}{middle(runs, "seconds"):12.2f}{middle(runs, "peak"):10.2f}'
            f'{ratio_to(first, runs, "seconds"):12.2f}{ratio_to(first, runs, "peak"):14.2f}'
        )


if __name__ == '__main__':
    main()
