"""A parser for the HTML of a report, and small records for reports."""

import base64
from html.parser import HTMLParser

import cv2
import numpy as np

from mmuda.visualization import RunSummary, Sample, write_report

CLASSES = ('road', 'car', 'train')
PALETTE = [(128, 64, 128), (0, 0, 142), (0, 80, 100)]


class Page(HTMLParser):
    """The tags, text, links, pictures and table rows of a page. Parsing checks that the tags match."""

    VOID = {'meta', 'img', 'wbr'}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.tags, self.images, self.text, self.rows, self.links, self.ids = [], [], [], [], [], [], []
        self.feed(html)
        assert self.tags and not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == 'img':
            self.images.append(attrs)
        if tag == 'tr':
            self.rows.append([])
        if tag in ('td', 'th') and self.rows:
            self.rows[-1].append(['', attrs.get('class', '').split()])
        self.links += [attrs[key] for key in ('src', 'href', 'xlink:href') if key in attrs]
        self.ids += [attrs['id']] if 'id' in attrs else []

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if 'style' not in self.open:
            self.text.append(data)
        if self.rows and {'td', 'th'} & set(self.open):
            self.rows[-1][-1][0] += data

    def row(self, name: str, nth: int = 0) -> tuple[list[str], list[int]]:
        """Return the texts of the cells of the nth row with this heading, and the indices of the best cells."""
        cells = [row for row in self.rows if row and row[0][0] == name][nth]
        return [text for text, _ in cells], [place for place, (_, kinds) in enumerate(cells) if 'best' in kinds]

    def picture(self, words: str) -> np.ndarray:
        """Return the RGB pixels (H, W, 3) of the picture with this description."""
        (image,) = [image for image in self.images if image['alt'] == words]
        return decode(image)


def decode(image: dict[str, str]) -> np.ndarray:
    """Return the RGB pixels (H, W, 3) of an `img` element."""
    data = base64.b64decode(image['src'].removeprefix('data:image/png;base64,'), validate=True)
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def run(name, miou, iou, **kwargs):
    metrics = dict(
        protocols=dict(mIoU=miou), per_class=dict(IoU=dict(zip(CLASSES, iou, strict=False))), aAcc=80.0, num_images=3
    )
    return RunSummary(name, metrics, **kwargs)


def three_runs():
    return [
        run('Source', 30.0, (90.0, 10.0, None), curves=dict(mIoU=([10, 20], [20.0, 30.0]), loss_seg=([5], [1.0]))),
        run('AdaBN', 32.04, (88.0, 20.0, None)),
        run(
            'ADVENT',
            35.0,
            (80.0, 20.04, None),
            curves=dict(mIoU=([10, 20], [25.0, 35.0]), loss_seg=([5, 10], [1.0, 0.5]), loss_adv=([5], [0.7])),
        ),
    ]


def sample(size=(4, 8), runs=('Source', 'AdaBN', 'ADVENT'), name='street'):
    generator = np.random.default_rng(0)
    return Sample(
        name,
        generator.integers(0, 256, (*size, 3), dtype=np.uint8),
        generator.integers(0, 3, size, dtype=np.uint8),
        {run: generator.integers(0, 3, size, dtype=np.uint8) for run in runs},
        {run: generator.random(size, dtype=np.float32) for run in runs},
    )


def written(tmp_path, runs, samples=(), **kwargs):
    return write_report(tmp_path / 'r.html', 'Demo', runs, samples, CLASSES, PALETTE, **kwargs).read_text('utf-8')
