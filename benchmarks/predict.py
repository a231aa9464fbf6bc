"""Measure images per second of tools/predict.py and tools/test.py against mmseg, and the prediction of a large image.

    python benchmarks/predict.py CONFIG CHECKPOINT [--images 12] [--size 512 1024] [--rounds 3] [--threads 2]
    python benchmarks/predict.py CONFIG CHECKPOINT --evaluate
    python benchmarks/predict.py CONFIG CHECKPOINT --large 20000 [--window 1024]

Both variants read the same PNG files, run the same network with the same test pipeline and write label maps as PNG
files. Each runs in a separate process, and they take turns. Time is that of all images after one for warm-up, without
the start of the process. `plain` is `MMSegInferencer(CONFIG, CHECKPOINT)(file)`. Its labels are saved as it saves them,
but no pictures are drawn. Labels of both are compared. CPU seconds count the process without its workers. MiB are the
growth of its peak after the network is loaded.

--evaluate tests the network on these images and random labels: `plain` is mmengine's runner with mmseg's data set,
annotations and IoUMetric. IoUs of both are compared.

--large runs tools/predict.py on a square TIFF of this height and width, in compressed tiles, and on one of the size of
a window. It prints the peak memory of both, and seconds per megapixel.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from pairing import SIDES, middle, parser, ratio_to, resident, take_turns
from PIL import Image

TOOL = Path(__file__).parents[1] / 'tools/predict.py'
TILE = 512


def write_images(folder: Path, count: int, size: tuple[int, int]) -> list[str]:
    """Write PNG files of smooth noise, and return their names."""
    names = []
    for number in range(count):
        coarse = np.random.default_rng(number).integers(0, 256, (size[0] // 16, size[1] // 16, 3), dtype=np.uint8)
        names.append(str(folder / f'{number:04d}.png'))
        cv2.imwrite(names[-1], cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC))
    return names


def write_labels(folder: Path, images: list[str], size: tuple[int, int]) -> None:
    """Write labels of two classes for images."""
    folder.mkdir()
    for number, image in enumerate(images):
        coarse = np.random.default_rng(number).integers(0, 2, (size[0] // 16, size[1] // 16), dtype=np.uint8)
        cv2.imwrite(str(folder / Path(image).name), cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_NEAREST))


def peak() -> float:
    """Return the peak memory of this process since the last call of :func:`start_anew`, in GiB."""
    status = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in status if 'VmHWM' in line) / 2**20


def start_anew() -> float:
    """Reset the peak memory of this process, and return its present memory, in GiB."""
    Path('/proc/self/clear_refs').write_text('5')
    return resident() / 2**30


def evaluation(side: str, config: str, checkpoint: str, images: list[str], out: Path) -> dict:
    """Return the figures of a test of all images."""
    from mmengine.runner import Runner

    import mmuda  # noqa: F401
    from mmuda.checkpoints.reading import read_checkpoint
    from mmuda.engine.launch import build_runner, load_config

    ours = side == 'ours'
    classes = read_checkpoint(checkpoint)['meta']['dataset_meta']['classes']
    cfg = load_config(config, work_dir=str(out))
    steps = [dict(step) for step in cfg.test_dataloader.dataset.pipeline if 'Annotations' not in step['type']]
    steps.insert(-1, dict(type='LoadDomainAnnotations' if ours else 'LoadAnnotations'))
    data = dict(data_root=str(out.parent), data_prefix=dict(img_path='images', seg_map_path='labels'), pipeline=steps)
    if ours:
        data.update(type='RawSegDataset', label_classes=classes)
    else:
        data.update(type='BaseSegDataset', metainfo=dict(classes=classes), img_suffix='.png', seg_map_suffix='.png')
    cfg.test_dataloader = dict(num_workers=2, sampler=dict(type='DefaultSampler', shuffle=False), dataset=data)
    cfg.test_evaluator = dict(type='DomainIoUMetric' if ours else 'IoUMetric')
    cfg.merge_from_dict(dict(test_cfg=dict(type='TestLoop'), load_from=checkpoint, launcher='none'))
    runner = build_runner(cfg) if ours else Runner.from_cfg(cfg)
    runner.test_loop  # noqa: B018 - builds the loader
    base = start_anew()
    found = runner.test()
    memory = peak() - base
    start, cpu = time.perf_counter(), time.process_time()
    runner.test()
    return {**figures(0, start, cpu, len(images)), 'memory': memory, 'score': round(float(found['mIoU']), 2)}


def plain(config: str, checkpoint: str, images: list[str], out: Path) -> dict:
    """Return the figures of mmseg's inferencer for all images but the first."""
    from mmseg.apis import MMSegInferencer

    import mmuda  # noqa: F401

    inferencer = MMSegInferencer(config, checkpoint)
    inferencer.show_progress = False
    (out / 'labels').mkdir()
    for place, image in enumerate(images):
        if place == 1:
            base, start, cpu = start_anew(), time.perf_counter(), time.process_time()
        label = inferencer(image)['predictions']
        Image.fromarray(label.astype(np.uint8)).save(out / 'labels' / f'{Path(image).stem}.png')
    return figures(base, start, cpu, len(images) - 1)


def figures(base: float, start: float, cpu: float, images: int) -> dict:
    """Return seconds an image since ``start`` and ``cpu``, and the growth of the peak memory over ``base``."""
    seconds = dict(seconds=time.perf_counter() - start, cpu=time.process_time() - cpu)
    return {**{key: value / images for key, value in seconds.items()}, 'memory': peak() - base}


def ours(config: str, checkpoint: str, images: list[str], out: Path) -> dict:
    """Return the figures of mmuda for all images but the first."""
    import mmuda
    from mmuda.prediction import Outputs, find_images, predict_folder

    predictor = mmuda.predict(config, checkpoint)
    outputs = Outputs(out, predictor.classes, palette=False)
    entries = find_images([Path(images[0]).parent], out).entries
    predict_folder(predictor, entries[:1], outputs)
    base, start, cpu = start_anew(), time.perf_counter(), time.process_time()
    predict_folder(predictor, entries, outputs)
    return figures(base, start, cpu, len(images) - 1)


def apart(folders: list[Path]) -> float:
    """Return the share of pixels whose label differs."""
    first, second = (
        [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted((folder / 'labels').glob('*.png'))]
        for folder in folders
    )
    return float(np.mean([(one != other).mean() for one, other in zip(first, second, strict=True)]))


def measure(args: argparse.Namespace) -> dict:
    """Return the figures of one variant."""
    torch.set_num_threads(args.threads)
    folder = Path(args.folder)
    out = Path(tempfile.mkdtemp(dir=folder, prefix=f'{args.one}_'))
    images = sorted(map(str, (folder / 'images').glob('*.png')))
    if args.evaluate:
        return evaluation(args.one, args.config, args.checkpoint, images, out)
    return dict(dict(plain=plain, ours=ours)[args.one](args.config, args.checkpoint, images, out), out=str(out))


def tiles_of_noise(side: int) -> Iterator[np.ndarray]:
    """Yield the tiles of a large square image of smooth noise."""
    rng = np.random.default_rng(0)
    for _ in range((-(-side // TILE)) ** 2):
        coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
        yield cv2.resize(coarse, (TILE, TILE), interpolation=cv2.INTER_LINEAR)


def command(args: argparse.Namespace, image: Path, out: Path) -> tuple[float, float, float]:
    """Run tools/predict.py on an image, and return its seconds, its CPU seconds, and its peak memory in GiB."""
    options = [f'--window={args.window}', '--max-megapixels=1e6', '--num-workers=0']
    words = [sys.executable, TOOL, args.config, args.checkpoint, image, '--out', out, *options]
    start = time.perf_counter()
    process = subprocess.Popen(words, env=dict(os.environ, OMP_NUM_THREADS=str(args.threads)))
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit('tools/predict.py failed')
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def large(args: argparse.Namespace) -> None:
    """Predict one large image, and one of the size of a window, and print memory and time."""
    import tifffile

    side = args.large
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        layout = dict(dtype=np.uint8, photometric='rgb', tile=(TILE, TILE), compression='zlib')
        for name, length in (('small', args.window), ('large', side)):
            tifffile.imwrite(folder / f'{name}.tif', tiles_of_noise(length), shape=(length, length, 3), **layout)
        alone, _, base = command(args, folder / 'small.tif', folder / 'out_small')
        seconds, computing, peak = command(args, folder / 'large.tif', folder / 'out')
        sizes = [path.stat().st_size / 2**20 for path in (folder / 'large.tif', folder / 'out/labels/large.png')]
    print(
        f'{side}x{side}, windows of {args.window}: {seconds:.0f} s ({computing:.0f} of processors), '
        f'{(seconds - alone) / (side**2 - args.window**2) * 1e6:.2f} s a megapixel after the start of {alone:.0f} s; '
        f'peak {peak:.2f} GiB, {peak - base:.2f} more than for one window. The image has {3 * side**2 / 2**30:.2f} '
        f'GiB ({sizes[0]:.0f} MiB as a file), its label map {sizes[1]:.0f} MiB as a file'
    )


def main() -> None:
    options = parser(__doc__)
    options.add_argument('config')
    options.add_argument('checkpoint')
    options.add_argument('--images', type=int, default=12)
    options.add_argument('--size', nargs=2, type=int, default=[512, 1024], metavar=('H', 'W'))
    options.add_argument('--large', type=int, metavar='PIXELS', help='height and width of one large image')
    options.add_argument('--window', type=int, default=1024)
    options.add_argument('--evaluate', action='store_true', help='measure tools/test.py instead')
    options.add_argument('--folder', help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.large:
        large(args)
        return
    if args.one:
        print(json.dumps(measure(args)))
        return
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / 'images').mkdir()
        images = write_images(Path(folder) / 'images', args.images, tuple(args.size))
        told = [args.config, args.checkpoint, '--folder', folder, '--threads', str(args.threads)]
        if args.evaluate:
            write_labels(Path(folder) / 'labels', images, tuple(args.size))
            told.append('--evaluate')
        found = take_turns(__file__, SIDES, args.rounds, told)
        if args.evaluate:
            apart_by = 'IoUs are {plain} and {ours}'.format(**{side: runs[0]['score'] for side, runs in found.items()})
        else:
            share = apart([Path(found[side][0]['out']) for side in SIDES])
            apart_by = f'{100 * share:.3f} % of the labels differ'
    for side, runs in found.items():
        seconds, cpu, memory = (middle(runs, key) for key in ('seconds', 'cpu', 'memory'))
        print(
            f'{side:6} {1 / seconds:8.2f} images/s {seconds:8.3f} s an image, {cpu:.3f} of the CPU, '
            f'{1024 * memory:.0f} MiB'
        )
    ratios = ', '.join(
        f'{key} {ratio_to(found["ours"], found["plain"], key):.2f}' for key in ('seconds', 'cpu', 'memory')
    )
    print(f'plain / ours: {ratios} (median of {args.rounds} rounds); {apart_by}')


if __name__ == '__main__':
    main()
