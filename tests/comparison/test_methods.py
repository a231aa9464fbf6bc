"""Methods of a comparison, made from configs."""

import pytest
from toolbox import CONFIGS

from mmuda.comparison import load_methods, with_precision


def test_facts_of_shipped_configs():
    names = ('source_only', 'adabn', 'advent', 'intrada', 'cbst')
    methods = load_methods([CONFIGS / name / 'minicity.py' for name in names])
    assert [method.name for method in methods] == [f'{name}/minicity' for name in names]
    assert [method.is_source_only for method in methods] == [True, False, False, False, False]
    assert [method.is_baseline for method in methods] == [True, True, False, False, False]
    assert [method.staged for method in methods] == [False, False, False, True, True]
    length = methods[0].cfg.train_cfg.max_iters
    assert [method.iterations() for method in methods] == [length, length, length, 2 * length, None], (
        'the length of rounds depends on the data'
    )
    assert methods[2].without_target_statistics == ''


@pytest.mark.parametrize(
    'name', ['source_only/minicity_oracle', 'adaptsegnet/oracle', 'source_only/carla2camvid_oracle']
)
def test_an_oracle_is_no_baseline(name):
    (method,) = load_methods([CONFIGS / f'{name}.py'])
    assert method.kind == 'SourceOnly' and method.is_oracle
    assert not method.is_source_only and not method.is_baseline


def test_labels_of_target_images_make_no_baseline():
    (method,) = load_methods([CONFIGS / 'dacs/minicity_semi.py'], {'model': dict(_delete_=True, type='SourceOnly')})
    assert method.kind == 'SourceOnly' and method.has_target_labels and not method.is_oracle
    assert not method.is_source_only and not method.is_baseline


def test_a_paper_that_begins_with_a_baseline_is_none():
    (method,) = load_methods([CONFIGS / 'cbst/minicity.py'])
    assert method.trainings[0].model.type == 'AdaBN' and not method.is_baseline


def test_options_are_those_of_all():
    (method,) = load_methods([CONFIGS / 'adabn/minicity.py'], {'train_cfg.max_iters': 7})
    assert method.iterations() == 7


def test_precision_is_that_of_a_copy():
    (method,) = load_methods([CONFIGS / 'intrada/minicity.py'])
    assert method.trainings[0].optim_wrapper.precision is None
    changed = with_precision(method, 'bfloat16')
    assert [training.optim_wrapper.precision for training in changed.trainings] == ['bfloat16'] * 2
    assert [one.optim_wrapper.precision for one in (method.cfg, method.trainings[0])] == [None, None]


def test_a_network_without_statistics_or_images_of_the_target_has_a_reason():
    norm = {'model.segmentor.backbone.norm_cfg': dict(type='GN', num_groups=2)}
    (method,) = load_methods([CONFIGS / 'adabn/minicity.py'], norm)
    assert 'it has no batch-norm layer' in method.without_target_statistics
    (method,) = load_methods([CONFIGS / 'adabn/minicity.py'])
    method.cfg.train_dataloader.dataset = method.cfg.train_dataloader.dataset.source
    assert 'has no target images in train_dataloader.dataset.target' in method.without_target_statistics


def test_a_network_that_cannot_be_built_is_no_reason():
    (method,) = load_methods([CONFIGS / 'adabn/minicity.py'])
    method.cfg.model.segmentor.backbone.type = 'ResNetOfNobody'
    with pytest.raises(KeyError, match='ResNetOfNobody'):
        _ = method.without_target_statistics


def test_two_configs_of_one_name_are_refused(tmp_path):
    copy = tmp_path / 'adabn' / 'minicity.py'
    copy.parent.mkdir()
    copy.write_text(f"_base_ = '{CONFIGS / 'adabn/minicity.py'}'")
    with pytest.raises(ValueError, match='two configs are called adabn/minicity'):
        load_methods([CONFIGS / 'adabn/minicity.py', copy])


def test_another_evaluator_is_refused(tmp_path):
    config = tmp_path / 'mine.py'
    base = CONFIGS / 'adabn/minicity.py'
    config.write_text(f"_base_ = '{base}'\ntest_evaluator = dict(_delete_=True, type='IoUMetric')")
    with pytest.raises(
        ValueError, match="mine.py: .* test_evaluator = dict.type='DomainIoUMetric'., but it is 'IoUMetric'"
    ):
        load_methods([config])


def test_reasons_against_target_statistics(tmp_path):
    base = CONFIGS / 'adabn/minicity.py'
    norm = "dict(_delete_=True, type='GN', num_groups=2)"
    group = f"_base_ = '{base}'\nmodel = dict(segmentor=dict(backbone=dict(norm_cfg={norm})))"
    (tmp_path / 'group.py').write_text(group)
    (tmp_path / 'alone.py').write_text(
        f"_base_ = '{base}'\ntrain_dataloader = dict(dataset=dict(_delete_=True, type='X'))"
    )
    group, alone = load_methods([tmp_path / 'group.py', tmp_path / 'alone.py'])
    assert 'it has no batch-norm layer' in group.without_target_statistics
    assert 'has no target images' in alone.without_target_statistics
