"""The summary of a data set on one screen."""

from collections import Counter
from pathlib import Path

import numpy as np

from mmuda.own_data.label_values import LabelValues
from mmuda.own_data.pairing import Pairing
from mmuda.own_data.reading import Reading
from mmuda.own_data.screen import about_images, about_values, hints, proposals
from mmuda.own_data.survey import Survey


def values(*found, total=5):
    return LabelValues(total, 5, Counter(dict.fromkeys(found, 10)), Counter(dict.fromkeys(found, 5)))


def test_sizes_and_formats_of_different_files():
    images = Survey(9, 3, np.array([(4, 6), (8, 2), (5, 5)]), Counter({('PNG', 'RGB'): 2, ('TIFF', 'I;16'): 1}))
    shown = about_images('source', Pairing(Path('/data'), [('a', 'b')], chosen=Counter({'gtfine labelids': 3})), images)
    assert 'sizes   4x6 (1), 8x2 (1), 5x5 (1) (width x height), of 3 files that were opened' in shown
    assert 'images  PNG RGB (2), TIFF I;16 (1)' in shown and 'those with "gtfine labelids" (3) are used' in shown
    (hint,) = hints(images, Reading((0, 1, 2), (0, 4095)))
    assert hint.startswith(
        "1 images are TIFF I;16, read with dict(type='LoadDomainImage', bands=(0, 1, 2), value_range="
    )
    assert hints(images, Reading()) == ['1 images are TIFF I;16; tools/browse.py shows them as a network gets them']


def test_the_most_frequent_sizes_are_shown_with_counts():
    def sizes(*found):
        images = Survey(len(found), len(found), np.array(found), Counter({('PNG', 'RGB'): len(found)}))
        return about_images('target', Pairing(Path('/data'), [('a', None)]), images).splitlines()[1].split('sizes  ')[1]

    assert sizes((640, 480), (480, 640), (640, 480)).strip() == '640x480 (2), 480x640 (1) (width x height)'
    many = sizes((9, 9), (8, 8), (9, 9), (8, 8), (8, 8), (1, 1), (1, 1), (2, 3), (4, 5)).strip()
    assert many == '8x8 (3), 9x9 (2), 1x1 (2) and 2 other sizes (width x height)'
    assert sizes((9, 9), (9, 9)).strip() == '9x9'


def test_a_sample_is_named():
    shown = about_values(values(0, 7, total=50))
    assert shown.startswith('2 ids in 5 of 50 labels:') and '0      10  50.00 %       5' in shown
    many = about_values(values(*range(50)))
    assert '... and 10 more' in many
    assert about_values(values((1, 2, 3), (4, 5, 6))).splitlines()[2].split()[:3] == ['1', '2', '3']


def test_meanings_are_proposed():
    assert proposals(values(0, 255)) == ['0 and 255 alone: masks of one class and its background']
    assert [line.split()[0] for line in proposals(values(0, 1, 2, 255))] == ['255', '0', 'these']
    assert proposals(values(*range(1, 34)))[-1].endswith('--classes cityscapes')
    assert proposals(values((1, 2, 3), (0, 0, 0))) == []
