"""The SYNTHIA reader, on a small copy of the layout (see layouts.py)."""

import logging

import layouts
import numpy as np
import pytest
from mmseg.registry import DATASETS

import mmuda.datasets.readers.synthia as synthia
from mmuda.datasets.classes import CITYSCAPES_CLASSES, SYNTHIA16


@pytest.mark.parametrize('classes', [None, SYNTHIA16], ids=['19', '16'])
def test_read_as_published(tmp_path, classes):
    layouts.synthia(tmp_path)
    dataset = dict(type='SYNTHIADataset', data_root=str(tmp_path))
    layouts.check_reading(
        dataset, tmp_path, 'RGB/0000001.png', 'GT/LABELS/0000001.png', layouts.ids(range(23), 1), 'synthia', classes
    )


@pytest.mark.parametrize('table, warned', [('synthia', True), ('synthia_seqs', False)])
def test_lane_markings_of_the_sequences_are_no_motorcycles(tmp_path, monkeypatch, table, warned):
    told = []
    monkeypatch.setattr(synthia, 'print_log', lambda text, logger, level: told.append((level, text)))
    place = 'Stereo_Left/Omni_F/000000.png'
    raw = layouts.ids(range(16))
    layouts.write(tmp_path / 'RGB' / place, layouts.image())
    layouts.write_synthia(tmp_path / 'GT/LABELS' / place, raw)
    steps = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations')]
    dataset = DATASETS.build(dict(type='SYNTHIADataset', data_root=str(tmp_path), label_table=table, pipeline=steps))
    assert [level for level, _ in told] == [logging.WARNING] * warned
    assert all('id 12 is lane marking' in text and "label_table='synthia_seqs'" in text for _, text in told)
    label = dataset[0]['gt_seg_map']
    motorcycle = CITYSCAPES_CLASSES.index('motorcycle')
    assert set(label[raw == 12]) == ({motorcycle} if warned else {255})
    np.testing.assert_array_equal(label == CITYSCAPES_CLASSES.index('car'), raw == 8)
