"""Warnings about methods that are compared on unequal terms."""

import re

import pytest
from toolbox import CONFIGS

from mmuda.comparison import differences_between, load_methods


def loaded(*names: str):
    return load_methods([CONFIGS / f'{name}.py' for name in names])


def test_methods_on_equal_terms_differ_in_nothing():
    assert differences_between(loaded('adabn/minicity', 'source_only/minicity')) == []
    assert differences_between(loaded('advent/gta2city', 'source_only/gta2city', 'adabn/gta2city')) == []
    assert differences_between([]) == []


@pytest.mark.parametrize(
    ('key', 'value', 'told'),
    [
        ('model.segmentor.backbone.base_channels', 8, 'the network: backbone.base_channels: '),
        ('train_dataloader.batch_size', 3, 'the batch: source_only/minicity has '),
        ('optim_wrapper.segmentor.accumulative_counts', 4, 'the batch: .*segmentor.accumulative_counts of 4 iter'),
        (
            'train_dataloader.dataset.target.pipeline',
            [dict(type='LoadDomainImage'), dict(type='RandomCrop', crop_size=(32, 64))],
            r'the sizes of training images: target: .* has "neither resized nor cropped", .*"RandomCrop size=\[32,',
        ),
        (
            'train_cfg.max_iters',
            300,
            r'the budget \(iterations\): source_only/minicity has \d+, adabn/minicity has 300',
        ),
        ('load_from', 'best.pth', 'the starting weights: load_from: '),
        ('test_dataloader.dataset.pipeline', [], 'the tested images: pipeline'),
        ('test_dataloader.dataset.data_root', '/other/city', 'the tested images: root.dataset: .* has "/other/city"'),
    ],
)
def test_each_respect_is_told(key, value, told):
    methods = loaded('adabn/minicity', 'source_only/minicity')
    methods[0].cfg.merge_from_dict({key: value})
    (warning,) = differences_between(methods)

    assert re.search(f'adabn/minicity differs from source_only/minicity in {told}', warning), warning


def test_stages_make_a_longer_training():
    methods = loaded('source_only/minicity', 'intrada/minicity')
    (warning,) = [line for line in differences_between(methods) if 'budget' in line]
    length = methods[0].cfg.train_cfg.max_iters
    assert f'source_only/minicity has {length}, intrada/minicity has {2 * length}' in warning


def test_trained_lengths_count_where_they_are_known():
    methods = loaded('source_only/minicity', 'cbst/minicity')
    assert not any('budget' in line for line in differences_between(methods))
    warnings = differences_between(methods, {'source_only/minicity': 600, 'cbst/minicity': 950})
    assert any(
        'the budget (iterations): source_only/minicity has 600, cbst/minicity has 950' in line for line in warnings
    )


def test_without_source_only_the_first_is_the_measure():
    methods = loaded('adabn/minicity', 'advent/minicity')
    methods[1].cfg.train_cfg.max_iters = 5
    assert [line[:43] for line in differences_between(methods)] == ['advent/minicity differs from adabn/minicity']


def test_a_crop_that_one_domain_lacks_is_a_difference():
    methods = loaded('source_only/carla2camvid', 'adabn/carla2camvid')
    assert differences_between(methods) == []
    pipeline = methods[1].cfg.train_dataloader.dataset.target.pipeline
    methods[1].cfg.train_dataloader.dataset.target.pipeline = [one for one in pipeline if 'Crop' not in one['type']]
    (warning,) = differences_between(methods)
    assert 'target: source_only/carla2camvid has "RandomClassCrop size=[144, 192]"' in warning
    assert 'adabn/carla2camvid has "neither resized nor cropped"' in warning
