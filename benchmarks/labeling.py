"""Measure seconds per image and memory of pseudo labelling, ours against the plain procedure of CBST, in pairs.

    python benchmarks/labeling.py [--images 40] [--rounds 3] [--threads 2]
    python benchmarks/labeling.py --config configs/source_only/gta2city.py [--images 40] [--size 256 512]

The plain variant is the procedure of the CBST paper, one image after the other, with NumPy. It saves each map of
probabilities as float32 .npy, appends every fourth confidence of each class to growing arrays, sorts them as Python
lists, loads each map again, divides, takes the argmax, writes a PNG and deletes the map. Ours reads every map twice and
keeps none. Maps are synthetic, smooth, 19x256x512, and are written to the disk before the clock starts. Both variants
read them in place of a network's output; ours reads them twice, and that is counted. A network would also run twice for
ours. The line below each table row shows how long the second run can take before the plain variant is faster. Each
variant runs in a separate process; the variants take turns.

--config measures labelling with a network of random weights, on images of --size. In one variant the network runs in
both passes. In the other it runs once, and its outputs are kept for the second pass, as in the stages. Labels of both
are compared. Seconds are CPU seconds.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

CLASSES, HEIGHT, WIDTH, PORTION, RATE = 19, 256, 512, 0.2, 4
DIFFERENT = 40


def make_map(index: int) -> np.ndarray:
    """Return probabilities (C, H, W) of an image: a few smooth regions, confident inside and uncertain at borders."""
    rng = np.random.default_rng(index)
    coarse = rng.normal(0, 4, (CLASSES, HEIGHT // 32, WIDTH // 32)).astype(np.float32)
    logits = np.stack([cv2.resize(plane, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) for plane in coarse])
    noise = rng.normal(0, 0.2, (HEIGHT, WIDTH)).astype(np.float32)
    logits += noise * np.linspace(-1, 1, CLASSES, dtype=np.float32)[:, None, None]
    return torch.from_numpy(logits).softmax(dim=0).numpy()


class Maps:
    """Maps of a benchmark on the disk. If there are more images than maps, the maps are repeated.

    Args:
        folder: Folder of the maps.
        count: Number of maps.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        for index in range(count):
            make_map(index).tofile(folder / f'{index}.raw')

    def __getitem__(self, index: int) -> np.ndarray:
        found = np.fromfile(self.folder / f'{index % self.count}.raw', np.float32)
        return found.reshape(CLASSES, HEIGHT, WIDTH)


def plain(policy: str, images: int, folder: Path, maps: Maps) -> None:
    confidences = [np.zeros(1, np.float32) for _ in range(CLASSES)]
    for index in range(images):
        prob = maps[index]
        np.save(folder / f'{index}.npy', prob)
        label, best = prob.argmax(axis=0), prob.max(axis=0)
        for c in range(CLASSES):
            values = best[label == c]
            if len(values):
                confidences[c] = np.append(confidences[c], values[::RATE])
    thresholds = np.zeros(CLASSES, np.float32)
    if policy == 'Global':
        ranked = sorted(np.concatenate([np.zeros(1, np.float32), *confidences]), reverse=True)
        thresholds[:] = ranked[int(len(ranked) * PORTION) - 1]
    else:
        for c, values in enumerate(confidences):
            ranked = sorted(values, reverse=True)
            rank = int(len(ranked) * PORTION)
            thresholds[c] = ranked[rank - 1] if rank else 0
    thresholds[thresholds == 0] = 1
    for index in range(images):
        ratio = np.load(folder / f'{index}.npy') / thresholds[:, None, None]
        label = ratio.argmax(axis=0).astype(np.uint8)
        label[ratio.max(axis=0) < 1] = 255
        cv2.imwrite(str(folder / f'{index}.png'), label)
    for index in range(images):
        (folder / f'{index}.npy').unlink()


def ours(policy: str, images: int, folder: Path, maps: Maps) -> None:
    from mmuda.labeling import ClassBalanced, Global, label_images

    strategy = dict(ClassBalanced=ClassBalanced, Global=Global)[policy](PORTION)
    label_images(
        [f'/images/{index}.png' for index in range(images)],
        lambda places: (torch.from_numpy(maps[place]) for place in places),
        folder / 'labels',
        strategy,
        [f'class {c}' for c in range(CLASSES)],
    )


def measure(side: str, policy: str, images: int, threads: int) -> dict:
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    import mmuda.labeling  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        made, out = Path(folder) / 'maps', Path(folder) / 'out'
        made.mkdir()
        out.mkdir()
        maps = Maps(made, min(images, DIFFERENT))
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        dict(plain=plain, ours=ours)[side](policy, images, out, maps)
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return dict(seconds=seconds / images, growth=(peak - base) / 1024)


def with_network(config: str, images: int, size: Sequence[int]) -> None:
    """Print seconds of labelling with two passes through a network, and with one pass whose outputs are kept."""
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS

    from mmuda.datasets.readers import RawSegDataset
    from mmuda.engine.kept_values import KeptValues
    from mmuda.engine.launch import load_config
    from mmuda.engine.probabilities import class_probabilities
    from mmuda.labeling import ClassBalanced, label_images

    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(load_config(config).model).eval()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / 'images').mkdir()
        for index in range(images):
            noise = np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / 'images' / f'{index}.png'), noise)
        steps = [dict(type='LoadDomainImage'), dict(type='PackSegInputs')]
        data = RawSegDataset(data_root=str(folder), data_prefix=dict(img_path='images'), pipeline=steps)
        paths, labels = [data.get_data_info(index)['img_path'] for index in range(images)], []
        for kept in (None, KeptValues(folder)):
            maps = partial(class_probabilities, model, data, kept=kept)
            start = time.process_time()
            out = folder / ('kept' if kept else 'twice')
            label_images(paths, maps, out, ClassBalanced(PORTION), data.metainfo['classes'])
            print(f'{out.name:6} {(time.process_time() - start) / images:8.3f} s an image')
            labels.append([file.read_bytes() for file in sorted((out / 'labels').glob('*.png'))])
        told = 'the same' if labels[0] == labels[1] else 'NOT the same'
        print(f'labels are {told}; {kept.size / images / 1e6:.2f} MB an image were kept')


def run(side: str, policy: str, images: int, threads: int) -> dict:
    out = subprocess.run(
        [sys.executable, __file__, '--one', side, policy, '--images', str(images), '--threads', str(threads)],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(out.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=40)
    parser.add_argument('--rounds', type=int, default=3, help='processes of each variant')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--config', help='config of the network to label with')
    parser.add_argument(
        '--size', nargs=2, type=int, default=[256, 512], metavar=('H', 'W'), help='with --config: size of the images'
    )
    parser.add_argument('--one', nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(*args.one, args.images, args.threads)))
        return
    if args.config:
        torch.set_num_threads(args.threads)
        with_network(args.config, args.images, args.size)
        return
    print(f'{"":24}{"plain s/image":>15}{"ours s/image":>14}{"faster":>8}{"plain MiB":>11}{"ours MiB":>10}')
    for policy in ('ClassBalanced', 'Global'):
        pairs = [
            [run(side, policy, args.images, args.threads) for side in ('plain', 'ours')] for _ in range(args.rounds)
        ]
        middle = [[statistics.median(pair[i][key] for pair in pairs) for i in (0, 1)] for key in ('seconds', 'growth')]
        ratio = statistics.median(pair[0]['seconds'] / pair[1]['seconds'] for pair in pairs)
        print(
            f'{policy:24}{middle[0][0]:15.4f}{middle[0][1]:14.4f}{ratio:8.1f}{middle[1][0]:11.0f}{middle[1][1]:10.0f}'
        )
        gain = statistics.median(pair[0]['seconds'] - pair[1]['seconds'] for pair in pairs)
        print(f'{"":24}running the network again can take {gain:.3f} s an image before the plain variant is faster')
    print(f'\nours, ClassBalanced: {"images":>10}{"s/image":>10}{"MiB grown":>12}')
    for factor in (1, 4, 16):
        found = run('ours', 'ClassBalanced', factor * args.images, args.threads)
        print(f'{"":20} {factor * args.images:>10}{found["seconds"]:10.4f}{found["growth"]:12.0f}')


if __name__ == '__main__':
    main()
