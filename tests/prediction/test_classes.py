"""Names and colours of the classes of a network."""

import pytest
from mmengine.config import Config
from predictions import CLASSES, PALETTE, network_config
from toolbox import tiny_adaptor

from mmuda.datasets.classes import CITYSCAPES_PALETTE
from mmuda.prediction.classes import classes_of


def test_those_of_the_checkpoint_come_first():
    model = tiny_adaptor('SourceOnly', two_levels=False)
    model.dataset_meta = dict(classes=CLASSES, palette=PALETTE)
    found = classes_of(model, network_config())
    assert found.names == CLASSES and [list(colour) for colour in found.palette] == PALETTE
    model.dataset_meta = dict(classes=CLASSES[:3])
    with pytest.raises(ValueError, match='the network has 4 classes, but its checkpoint or config names 3'):
        classes_of(model, network_config())


def test_then_those_of_the_test_images():
    model = tiny_adaptor('SourceOnly', two_levels=False)
    classes = ('road', 'car', 'sky', 'bus')
    meta = dict(type='GTA5Dataset', data_root='nowhere', metainfo=dict(classes=classes), pipeline=[])
    found = classes_of(model, Config(dict(test_dataloader=dict(dataset=meta))))
    assert found.names == classes and list(found.palette[2]) == CITYSCAPES_PALETTE[10]


def test_else_they_are_numbered_and_coloured():
    found = classes_of(tiny_adaptor('SourceOnly', two_levels=False), Config(dict()))
    assert found.names == ('class 0', 'class 1', 'class 2', 'class 3') and len(set(found.palette)) == 4
