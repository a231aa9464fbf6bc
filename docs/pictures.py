"""Draw the pictures of the site.

    python docs/pictures.py                          # docs/pictures/*.svg and minicity.png
    python docs/pictures.py --demo work_dirs/demo    # demo.png as well, from the networks of `make demo`

A drawing follows the light or dark mode of the reader: its style sheet has both. Drawings are text files, so a change
can be reviewed line by line.
"""

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / 'pictures'
CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
LINE = 18
STYLE = """
  text { font: 13.5px system-ui, sans-serif; fill: #1f2933; }
  .small { font-size: 11.5px; fill: #52606d; }
  .strong { font-weight: 600; }
  .box { stroke: #7b8794; stroke-width: 1.2; fill: #ffffff; }
  .source { fill: #fdebd0; stroke: #b9770e; }
  .target { fill: #d6eaf8; stroke: #21618c; }
  .network { fill: #e8f5e9; stroke: #2e7d32; }
  .file { fill: #f4ecf7; stroke: #76448a; }
  .arrow { stroke: #52606d; stroke-width: 1.6; fill: none; marker-end: url(#head); }
  .dashed { stroke-dasharray: 5 4; }
  .head { fill: #52606d; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f4f8; }
    .small { fill: #bcccdc; }
    .box { stroke: #9fb3c8; fill: #243b53; }
    .source { fill: #5c4013; stroke: #f0b45c; }
    .target { fill: #143a56; stroke: #6fb7e9; }
    .network { fill: #1d4423; stroke: #81c784; }
    .file { fill: #42264f; stroke: #c39bd3; }
    .arrow { stroke: #bcccdc; }
    .head { fill: #bcccdc; }
  }
"""


@dataclass
class Picture:
    """An SVG file that is put together from boxes, arrows and words.

    Attributes:
        width: In pixels.
        height: In pixels.
        title: Description for readers who do not see it.
        parts: Elements of the file.
    """

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, width: float, height: float, lines: Sequence[str], kind: str = '') -> None:
        """Add a rounded box with centred lines of text; the first line is strong, the others are small."""
        self.parts.append(
            f'<rect class="box {kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="7"/>'
        )
        top = y + height / 2 - (len(lines) - 1) * LINE / 2 + 5
        for number, line in enumerate(lines):
            self.text(x + width / 2, top + number * LINE, line, 'strong' if number == 0 else 'small')

    def text(self, x: float, y: float, line: str, kind: str = '', anchor: str = 'middle') -> None:
        """Add a line of text."""
        self.parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(line)}</text>')

    def arrow(self, *points: tuple[float, float], kind: str = '') -> None:
        """Add an arrow along points."""
        path = ' L '.join(f'{x:g} {y:g}' for x, y in points)
        self.parts.append(f'<path class="arrow {kind}" d="M {path}"/>')

    def write(self, path: Path) -> None:
        """Write the file."""
        marker = (
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path class="head" d="M 0 0 L 10 5 L 0 10 z"/></marker></defs>'
        )
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" aria-label="{escape(self.title)}">',
            f'<style>{STYLE}</style>',
            marker,
            *self.parts,
            '</svg>',
        ]
        path.parent.mkdir(exist_ok=True)
        path.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def data_flow() -> Picture:
    """Return the way of the data from files to a tested checkpoint."""
    picture = Picture(900, 322, 'From labelled source images and unlabelled target images to a tested checkpoint')
    picture.box(10, 20, 170, 84, ['source domain', 'images and labels', 'GTA5, SYNTHIA, yours'], 'source')
    picture.box(10, 150, 170, 84, ['target domain', 'images, no labels', 'Cityscapes, yours'], 'target')
    picture.box(220, 84, 200, 88, ['DomainPairDataset', 'pair n is a function', 'of the seed and n'])
    picture.box(220, 232, 200, 70, ['DomainPairPreprocessor', 'normalises each domain'])
    picture.arrow((180, 62), (200, 62), (200, 108), (220, 108))
    picture.arrow((180, 192), (200, 192), (200, 148), (220, 148))
    picture.arrow((320, 172), (320, 232))
    picture.box(460, 20, 240, 282, [])
    picture.text(580, 46, 'adaptor', 'strong')
    picture.text(580, 64, 'adapt(source, target): one paper', 'small')
    picture.box(475, 82, 210, 60, ['segmentor', 'logits and features by level'], 'network')
    picture.box(475, 156, 210, 60, ['discriminator, teacher, ...', 'other networks of the method'], 'network')
    picture.box(475, 230, 210, 60, ['optimizers', 'one for each trained network'])
    picture.arrow((420, 267), (460, 267))
    picture.box(740, 20, 150, 64, ['checkpoint', 'exact resume'], 'file')
    picture.box(740, 128, 150, 72, ['test', 'labelled images of', 'the target'], 'target')
    picture.box(740, 244, 150, 58, ['use', 'predict, publish, export'])
    picture.arrow((700, 52), (740, 52))
    picture.arrow((815, 84), (815, 128))
    picture.arrow((815, 200), (815, 244))
    return picture


def step() -> Picture:
    """Return the order of a training step of a method with a teacher."""
    picture = Picture(860, 330, 'The order of a training step of a method with a teacher')
    steps = [
        (['1  source pass', 'images with labels', 'supervised losses'], 'source'),
        (['2  backward', "yield 'segmentor', losses", 'the source graph is freed'], ''),
        (['3  target pass', 'the teacher labels the images,', 'the segmentor predicts them'], 'target'),
        (['4  backward', "yield 'segmentor', losses", 'gradients add up'], ''),
        (['5  step', 'yield STEP', 'all optimizers step once'], 'network'),
        (['6  after the step', 'teacher.update(segmentor)', 'with the new weights'], 'network'),
    ]
    width, height, gap, top = 240, 84, 60, 50
    picture.text(10, 28, 'One iteration is adapt(source, target), read from top to bottom', 'strong', 'start')
    for number, (lines, kind) in enumerate(steps):
        x, y = 10 + number % 3 * (width + gap), top + number // 3 * (height + 60)
        picture.box(x, y, width, height, lines, kind)
        if number % 3:
            picture.arrow((x - gap, y + height / 2), (x, y + height / 2))
    middle = top + height + 30
    picture.arrow((730, top + height), (730, middle), (130, middle), (130, top + height + 60))
    picture.text(430, middle - 8, 'the memory at its peak holds one domain', 'small')
    bottom = top + 2 * height + 60
    picture.text(430, bottom + 34, 'The next iteration begins with the new weights.', 'small')
    return picture


def stages() -> Picture:
    """Return the stages of IntraDA with their references."""
    picture = Picture(900, 232, 'The stages of IntraDA: inter, rank, label, intra')
    boxes = [
        (['inter', 'TrainStage', 'AdvEnt, source to target'], 'network'),
        (['rank', 'RankStage', 'easy.txt, hard.txt'], 'file'),
        (['label', 'LabelStage', 'pseudo labels of easy'], 'file'),
        (['intra', 'TrainStage', 'AdvEnt, easy to hard'], 'network'),
    ]
    for number, (lines, kind) in enumerate(boxes):
        picture.box(10 + number * 236, 70, 172, 84, lines, kind)
    for x, line in ((214, 'weights'), (450, 'easy.txt'), (686, 'labels')):
        picture.arrow((x - 32, 112), (x + 32, 112))
        picture.text(x, 102, line, 'small')
    picture.arrow((96, 70), (96, 34), (568, 34), (568, 70))
    picture.text(332, 26, "weights='{inter}'", 'small')
    picture.arrow((332, 154), (332, 190), (804, 190), (804, 154))
    picture.text(568, 208, "ann_file='{rank}/hard.txt'", 'small')
    return picture


def floors() -> Picture:
    """Return the floors of the package; an import goes down only."""
    rows: Iterable[tuple[str, Sequence[str]]] = [
        ('tools/, projects/', ['train', 'test', 'predict', 'compare', '...', 'plug-ins']),
        ('6', ['comparison', 'conversion', 'deployment', 'doctor', 'prediction', 'scaffolding']),
        ('5', ['checks']),
        ('4', ['stages']),
        ('3', ['engine', 'evaluation', 'minicity', 'own_data', 'visualization']),
        ('2', ['datasets', 'models']),
        ('1', ['checkpoints', 'labeling']),
        ('ground', ['files', 'progress', 'ranks', 'internals', '...']),
    ]
    rows = list(rows)
    height, gap, left = 40, 10, 130
    picture = Picture(900, len(rows) * (height + gap) + 20, 'The floors of the package')
    for number, (name, rooms) in enumerate(rows):
        y = 10 + number * (height + gap)
        picture.text(left - 12, y + height / 2 + 5, name, 'small', 'end')
        width = (900 - left - 50 - (len(rooms) - 1) * gap) / len(rooms)
        for place, room in enumerate(rooms):
            kind = {0: 'target', len(rows) - 1: 'source'}.get(number, '')
            picture.box(left + place * (width + gap), y, width, height, [room], kind)
    picture.arrow((880, 20), (880, len(rows) * (height + gap) - 5))
    picture.text(896, len(rows) * (height + gap) + 12, 'imports', 'small', 'end')
    return picture


def write_towns(path: Path) -> None:
    """Write images of both towns of MiniCity, each above its label; twice as large as they are."""
    import cv2
    import numpy as np
    from PIL import Image

    from mmuda.constants import IGNORE_INDEX
    from mmuda.datasets.label_tables import get_label_table, lookup_array
    from mmuda.minicity import write_minicity

    with tempfile.TemporaryDirectory() as folder:
        root = write_minicity(Path(folder, 'minicity'), num_source=2, num_target=1, num_val=2)
        source = sorted((root / 'source/images').glob('*.png'))
        target = sorted((root / 'target/leftImg8bit/val').rglob('*.png'))
        images = [cv2.imread(str(image)) for image in (*source, *target)]
        labels = [root / 'source/labels' / image.name for image in source]
        labels += [Path(str(image).replace('leftImg8bit', 'gtFine', 1)) for image in target]
        labels = [path.with_name(path.name.replace('leftImg8bit', 'gtFine_labelIds')) for path in labels]
        ids = [np.asarray(Image.open(label)) for label in labels]  # indices of palette files
    train_ids = lookup_array(get_label_table('cityscapes'), IGNORE_INDEX)
    rows = [images, [coloured(train_ids[one]) for one in ids]]
    picture = np.vstack([np.hstack([np.pad(one, ((2, 2), (2, 2), (0, 0))) for one in row]) for row in rows])
    cv2.imwrite(str(path), cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST))


def write_demo(path: Path, runs: Path, count: int = 3) -> None:
    """Write target images with their labels and the predictions of two networks of the demo.

    Args:
        path: The picture.
        runs: Work dir of the demo.
        count: Images, evenly spaced in the validation split.
    """
    import cv2
    import numpy as np
    from mmengine.registry import init_default_scope
    from PIL import Image, ImageDraw, ImageFont

    import mmuda
    from mmuda.checkpoints.latest import latest_checkpoint
    from mmuda.datasets.building import build_dataset
    from mmuda.engine.launch import load_config

    config = CONFIGS / 'advent/minicity.py'
    init_default_scope('mmseg')
    dataset = build_dataset(load_config(config).val_dataloader.dataset)
    shown = [dataset[place] for place in range(0, len(dataset), len(dataset) // count)][:count]
    samples = [sample['data_samples'] for sample in shown]
    columns = {
        'target image': [cv2.imread(sample.img_path) for sample in samples],
        'ground truth': [coloured(sample.gt_sem_seg.data[0].numpy()) for sample in samples],
    }
    for title, folder in {'source-only': 'source_only', 'AdvEnt': 'advent'}.items():
        segment = mmuda.predict(CONFIGS / folder / 'minicity.py', latest_checkpoint(runs / folder))
        columns[title] = [coloured(np.asarray(segment(sample.img_path).label)) for sample in samples]
    bands = [np.vstack([np.pad(one, ((2, 2), (2, 2), (0, 0))) for one in column]) for column in columns.values()]
    picture = cv2.resize(np.hstack(bands), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    head = Image.new('RGB', (picture.shape[1], 28), 'white')
    for number, title in enumerate(columns):
        middle = (number + 0.5) * picture.shape[1] / len(columns)
        ImageDraw.Draw(head).text((middle, 14), title, 'black', ImageFont.load_default(18), anchor='mm')
    cv2.imwrite(str(path), np.vstack([np.asarray(head)[..., ::-1], picture]))


def coloured(labels: Any) -> Any:
    """Return train ids (H, W) of Cityscapes in their colours, (H, W, 3) uint8 in BGR; ignored pixels are black."""
    import numpy as np
    from mmseg.datasets import CityscapesDataset

    palette = np.array([*CityscapesDataset.METAINFO['palette'], *[(0, 0, 0)] * (256 - 19)], np.uint8)[:, ::-1]
    return palette[labels]


PICTURES = {'data_flow': data_flow, 'step': step, 'stages': stages, 'floors': floors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--demo', type=Path, metavar='DIR', help='work dir of the demo')
    demo = parser.parse_args().demo
    for name, draw in PICTURES.items():
        draw().write(FOLDER / f'{name}.svg')
    write_towns(FOLDER / 'minicity.png')
    if demo is not None:
        write_demo(FOLDER / 'demo.png', demo)


if __name__ == '__main__':
    main()
