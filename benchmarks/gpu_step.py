"""Seconds and memory of one iteration of DAFormer on a GPU, without reading of images.

    python benchmarks/gpu_step.py [--size 512] [--variant b5] [--batch-size 2] [--precision bfloat16] [--iters 20]
    python benchmarks/gpu_step.py --device cpu --variant b0 --size 64 --iters 1 --warm-up 0

The network, the losses and the optimizer are those of projects/daformer/configs/gta2city.py, with random weights (the
features of ImageNet are random likewise). Images are random; labels are squares of 32 pixels, so that the feature
distance finds things. Steps are timed one by one, and a further round of them without a wait in between. One last step
says whether anything waits for the device.

Published for MiT-B5, 512x512, batch 2 + 2, float32, on a 2080 Ti, with reading of images: 1.44 s and 9.7 GB; of another
user's log: 0.907 s and 9743 MB. Those logs count memory as this one does, the peak of what PyTorch allocated in MiB.
"""

import argparse
import logging
import resource
import statistics
import time
from pathlib import Path

import torch

CONFIG = Path(__file__).parents[1] / 'projects/daformer/configs/gta2city.py'
CELL = 32


def build(variant: str, device: str, precision: str | None):
    """Return the model in training mode, and its optimizers."""
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS

    from mmuda.engine import PerModuleOptimWrapperConstructor
    from mmuda.engine.launch import load_config
    from mmuda.models.backbones.mit import NUM_HEADS, VARIANTS

    cfg = load_config(CONFIG)
    init_default_scope('mmseg')
    torch.manual_seed(0)
    segmentor = cfg.model.segmentor
    segmentor.backbone.update(variant=variant, init_cfg=None)
    segmentor.decode_head.in_channels = [heads * VARIANTS[variant].embed_dims for heads in NUM_HEADS]
    model = MODELS.build(cfg.model).to(device).train()
    cfg.optim_wrapper.update(precision=precision)
    cfg.optim_wrapper.pop('constructor')
    return model, PerModuleOptimWrapperConstructor(cfg.optim_wrapper)(model)


def batch(step: int, size: int, count: int, device: str) -> dict:
    """Return random images of both domains and labels of the source, on the device."""
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    generator = torch.Generator().manual_seed(step)

    def side(labelled: bool) -> dict:
        images = torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
        samples = [SegDataSample() for _ in images]
        cells = -(-size // CELL)
        for sample in samples if labelled else ():
            squares = torch.randint(0, 19, (1, cells, cells), generator=generator)
            label = squares.repeat_interleave(CELL, dim=1).repeat_interleave(CELL, dim=2)[:, :size, :size]
            sample.gt_sem_seg = PixelData(data=label.to(device))
        return dict(inputs=list(images.to(device)), data_samples=samples)

    return dict(source=side(True), target=side(False))


def now(device: str) -> float:
    """Return the time when the device has done all that it was given."""
    if device == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter()


def peak(device: str) -> float:
    """Return the most memory that was allocated on the GPU, or used by this process, in MiB."""
    if device == 'cuda':
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def waits(step, data: dict) -> str:
    """Return what waits for the GPU in a step, in words."""
    torch.cuda.set_sync_debug_mode('error')
    try:
        step(data)
    except RuntimeError as error:
        return f'a step waits for the device: {str(error).splitlines()[0]}'
    finally:
        torch.cuda.set_sync_debug_mode('default')
    return 'no step waits for the device'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, default=512, help='side of the crops in pixels')
    parser.add_argument('--variant', default='b5', choices=[f'b{n}' for n in range(6)], help='size of the MiT')
    parser.add_argument('--batch-size', type=int, default=2, help='images of each domain')
    parser.add_argument('--device', default='cuda', choices=['cuda', 'cpu'])
    parser.add_argument('--precision', choices=['bfloat16', 'float16'], help='of mixed precision; default: float32')
    parser.add_argument('--tf32', action='store_true', help='let a GPU round float32 products to 10 bits')
    parser.add_argument('--iters', type=int, default=20, help='counted iterations')
    parser.add_argument('--warm-up', type=int, default=5)
    args = parser.parse_args()
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('PyTorch finds no GPU; with --device cpu choose a small --variant and --size')
    logging.disable(logging.WARNING)  # random features of ImageNet are meant
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.tf32
    model, wrappers = build(args.variant, args.device, args.precision)
    batches = [batch(step, args.size, args.batch_size, args.device) for step in range(min(4, args.iters))]

    def step(data: dict) -> dict:
        # The preprocessor replaces lists of the batch, not their images.
        return model.train_step({domain: dict(side) for domain, side in data.items()}, wrappers)

    for n in range(args.warm_up):
        step(batches[n % len(batches)])
    if args.device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
    seconds = []
    for n in range(args.iters):
        start = now(args.device)
        logs = step(batches[n % len(batches)])
        seconds.append(now(args.device) - start)
    start = now(args.device)
    for n in range(args.iters):
        logs = step(batches[n % len(batches)])
    running = (now(args.device) - start) / args.iters
    name = torch.cuda.get_device_name() if args.device == 'cuda' else f'CPU, {torch.get_num_threads()} threads'
    print(
        f'DAFormer, MiT-{args.variant.upper()}, {args.size}x{args.size}, batch {args.batch_size} + {args.batch_size}, '
        f'{args.precision or ("tf32" if args.tf32 else "float32")}, {name}, PyTorch {torch.__version__}'
    )
    low, high = min(seconds), max(seconds)
    print(
        f'seconds of a step: {statistics.median(seconds):.3f} ({low:.3f} to {high:.3f}); without waits: {running:.3f}'
    )
    print(f'memory: {peak(args.device):.0f} MiB')
    print(', '.join(f'{key} {float(value):.4f}' for key, value in logs.items()))
    if args.device == 'cuda':
        print(waits(step, batches[0]))


if __name__ == '__main__':
    main()
