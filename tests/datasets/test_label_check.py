"""A training warns at its start of classes that occur in no label."""

import numpy as np
import pytest
from layouts import image, write

from mmuda.datasets.label_check import SAMPLE, check_classes_shown
from mmuda.datasets.readers import RawSegDataset

LOAD = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations')]


def masks(root, values, count=3, **options):
    for n in range(count):
        write(root / 'images' / f'{n:03d}.png', image(n))
        write(root / 'labels' / f'{n:03d}.png', np.random.default_rng(n).choice(values, (12, 20)))
    return RawSegDataset(data_root=str(root), pipeline=LOAD, **{'label_classes': ('ground', 'crack'), **options})


@pytest.mark.parametrize('counted', [512, 0], ids=['all', 'sample'])
def test_masks_of_0_and_255(tmp_path, counted, monkeypatch):
    monkeypatch.setattr('mmuda.datasets.label_check.COUNTED', counted)
    dataset = masks(tmp_path, (0, 255))
    with pytest.raises(ValueError, match=r"^source: .*000\.png.*no pixel is 'crack'.*label_table=\{0: 0, 255: 1\}"):
        check_classes_shown(dataset, 'source')
    check_classes_shown(masks(tmp_path, (0, 255), label_table={0: 0, 255: 1}), 'source')
    assert SAMPLE > 3


def test_a_class_that_is_never_shown_is_told(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr('mmuda.datasets.label_check.print_log', lambda text, *_, level: told.append(text))
    check_classes_shown(masks(tmp_path / 'a', (0, 1, 255)), 'source')
    assert not told
    check_classes_shown(masks(tmp_path / 'b', (0, 2, 255), label_classes=('a', 'b', 'c')), 'validation')
    assert told.pop().startswith('validation: no label of RawSegDataset shows b: check')
    check_classes_shown(masks(tmp_path / 'c', (0,)), 'source')  # no ignored pixels (255) in these labels
    assert 'shows crack' in told.pop()


def test_other_data_is_left_alone(tmp_path, monkeypatch):
    masks(tmp_path, (0, 1))
    unlabelled = RawSegDataset(data_root=str(tmp_path), data_prefix=dict(img_path='images'), pipeline=LOAD[:1])
    check_classes_shown(unlabelled, 'validation')
    steps = [LOAD[0], dict(LOAD[1], required=False)]
    for counted in (512, 0):
        monkeypatch.setattr('mmuda.datasets.label_check.COUNTED', counted)
        watched = RawSegDataset(data_root=str(tmp_path), data_prefix=dict(img_path='images'), pipeline=steps)
        check_classes_shown(watched, 'validation')
    check_classes_shown([1, 2], 'validation')
