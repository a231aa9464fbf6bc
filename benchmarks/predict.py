"""Images per second of tools/predict.py against mmseg's own inferencer, and memory and time for one large image.

    python benchmarks/predict.py CONFIG CHECKPOINT [--images 12] [--size 512 1024] [--rounds 3] [--threads 2]
    python benchmarks/predict.py CONFIG CHECKPOINT --large 20000 [--window 1024]

Both sides read the same PNG files, run the same network with the same test pipeline and write label maps as PNG files;
each is a process of its own, and they take turns. Time is that of all images after one to warm up, without starting.
`plain` is `MMSegInferencer(CONFIG, CHECKPOINT)(file)`, whose labels are saved as it saves them itself, without the
picture that it would draw beside each. Labels of both are compared.

--large runs tools/predict.py on a TIFF of that many pixels a side, in compressed tiles, and on one of the size of a
window, and prints the peak memory of both, and seconds per megapixel.
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
from pairing import SIDES, middle, parser, ratio_to, take_turns
from PIL import Image

TOOL = Path(__file__).parents[1] / 'tools/predict.py'
TILE = 512


def write_images(folder: Path, count: int, size: tuple[int, int]) -> list[str]:
    """Write PNG files of smooth noise."""
    names = []
    for number in range(count):
        coarse = np.random.default_rng(number).integers(0, 256, (size[0] // 16, size[1] // 16, 3), dtype=np.uint8)
        names.append(str(folder / f'{number:04d}.png'))
        cv2.imwrite(names[-1], cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC))
    return names


def plain(config: str, checkpoint: str, images: list[str], out: Path) -> float:
    """Seconds that mmseg's inferencer takes for all images but the first."""
    from mmseg.apis import MMSegInferencer

    import mmuda  # noqa: F401

    inferencer = MMSegInferencer(config, checkpoint)
    inferencer.show_progress = False
    (out / 'labels').mkdir()
    for place, image in enumerate(images):
        if place == 1:
            start = time.perf_counter()
        label = inferencer(image)['predictions']
        Image.fromarray(label.astype(np.uint8)).save(out / 'labels' / f'{Path(image).stem}.png')
    return time.perf_counter() - start


def ours(config: str, checkpoint: str, images: list[str], out: Path) -> float:
    """Seconds that mmuda takes for them."""
    import mmuda
    from mmuda.prediction import Outputs, find_images, predict_folder

    predictor = mmuda.predict(config, checkpoint)
    outputs = Outputs(out, predictor.classes, palette=False)
    entries = find_images([Path(images[0]).parent], out).entries
    predict_folder(predictor, entries[:1], outputs)
    start = time.perf_counter()
    predict_folder(predictor, entries, outputs)
    return time.perf_counter() - start


def apart(folders: list[Path]) -> float:
    """Share of pixels whose label differs."""
    first, second = (
        [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted((folder / 'labels').glob('*.png'))]
        for folder in folders
    )
    return float(np.mean([(one != other).mean() for one, other in zip(first, second, strict=True)]))


def measure(args: argparse.Namespace) -> dict:
    """Figures of one side."""
    torch.set_num_threads(args.threads)
    folder = Path(args.folder)
    out = Path(tempfile.mkdtemp(dir=folder, prefix=f'{args.one}_'))
    images = sorted(map(str, (folder / 'images').glob('*.png')))
    seconds = dict(plain=plain, ours=ours)[args.one](args.config, args.checkpoint, images, out)
    return dict(seconds=seconds / (len(images) - 1), out=str(out))


def tiles_of_noise(side: int) -> Iterator[np.ndarray]:
    """Yield the tiles of a large square image of smooth noise."""
    rng = np.random.default_rng(0)
    for _ in range((-(-side // TILE)) ** 2):
        coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
        yield cv2.resize(coarse, (TILE, TILE), interpolation=cv2.INTER_LINEAR)


def command(args: argparse.Namespace, image: Path, out: Path) -> tuple[float, float, float]:
    """Run tools/predict.py on an image; return its seconds, those of processors, and its peak memory in GiB."""
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
        write_images(Path(folder) / 'images', args.images, tuple(args.size))
        told = [args.config, args.checkpoint, '--folder', folder, '--threads', str(args.threads)]
        found = take_turns(__file__, SIDES, args.rounds, told)
        share = apart([Path(found[side][0]['out']) for side in SIDES])
    for side, runs in found.items():
        print(f'{side:6} {1 / middle(runs, "seconds"):8.2f} images/s {middle(runs, "seconds"):8.3f} s an image')
    ratio = ratio_to(found['ours'], found['plain'], 'seconds')
    print(f'plain / ours: {ratio:.2f} (median of {args.rounds} rounds); {100 * share:.3f} % of the labels differ')


if __name__ == '__main__':
    main()
