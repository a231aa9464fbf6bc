"""Tests on other images than those of test_dataloader."""

import pytest
from mmcv.transforms import Compose
from mmengine.config import Config
from mmseg.registry import TRANSFORMS
from toolbox import CONFIGS

from mmuda.engine.evaluated_images import check_labelled, evaluate_on, of_domain
from mmuda.engine.launch import load_config, mirrored_pipeline


def names(dataset) -> list[str]:
    return [step['type'] for step in dataset['pipeline']]


def test_the_source_is_read_as_in_training_and_tested_by_the_pipeline_of_the_test():
    cfg = load_config(CONFIGS / 'advent/gta2city.py')
    cfg.test_evaluator.paper = dict(name='a paper')
    evaluate_on(cfg, 'source')
    found = cfg.test_dataloader.dataset
    assert found.type == 'GTA5Dataset' and found.mismatched == 'skip' and found.test_mode
    assert names(found) == ['LoadDomainImage', 'Resize', 'LoadDomainAnnotations', 'PackSegInputs']
    assert found.pipeline[1].scale == (1280, 720) and 'table' not in found.pipeline[2]
    assert cfg.test_evaluator.paper is None and cfg.test_dataloader.batch_size == 1
    assert cfg.val_dataloader.dataset.type == 'CityscapesDataset'


def test_random_crops_are_left_out():
    cfg = load_config(CONFIGS / 'dacs/gta2city.py')
    stage = cfg if 'source' in cfg.train_dataloader.dataset else None
    evaluate_on(cfg, 'source', stage)
    found = cfg.test_dataloader.dataset
    assert names(found) == ['LoadDomainImage', 'LoadDomainAnnotations', 'Resize', 'PredictAtLabelSize', 'PackSegInputs']


def test_the_source_has_labels_even_if_the_test_has_none():
    cfg = load_config(CONFIGS / 'advent/gta2city.py')
    cfg.test_evaluator = dict(type='LabelFreeMetric')
    evaluate_on(cfg, 'target')
    assert cfg.test_evaluator == dict(type='LabelFreeMetric')
    evaluate_on(cfg, 'source')
    assert cfg.test_evaluator == dict(type='DomainIoUMetric')


def test_windows_of_training_become_whole_images():
    cfg = load_config(CONFIGS / 'source_only/potsdam2vaihingen.py')
    evaluate_on(cfg, 'source')
    found = cfg.test_dataloader.dataset
    assert found.type == 'RawPotsdamDataset' and found.bands == 'IRRG'
    assert (
        names(found) == ['LoadDomainImage', 'LoadDomainAnnotations', 'PackSegInputs']
        and 'size' not in found.pipeline[0]
    )


def test_several_sources_and_the_validation():
    cfg = load_config(CONFIGS / 'advent/gta2city.py')
    source = cfg.train_dataloader.dataset.source
    cfg.train_dataloader.dataset.source = dict(type='ConcatDataset', datasets=[source, source])
    cfg.val_dataloader.batch_size = 3
    tested = cfg.copy()
    evaluate_on(tested, 'source')
    assert [names(one)[2] for one in tested.test_dataloader.dataset.datasets] == ['LoadDomainAnnotations'] * 2
    evaluate_on(cfg, 'test')
    assert cfg.test_dataloader.batch_size == 1
    evaluate_on(cfg, 'val')
    assert cfg.test_dataloader.batch_size == 3


def test_images_are_normalised_as_those_of_their_domain():
    preprocessor = dict(type='DomainPairPreprocessor', mean=[1], std=[3], target=dict(mean=[2]), test_cfg=dict(a=1))
    found = of_domain(preprocessor, 'source')
    assert found == dict(type='DomainPairPreprocessor', mean=[1], std=[3], test_cfg=dict(a=1))
    assert of_domain(preprocessor, 'target').mean == [2]


def test_splits_that_are_not_there_are_told():
    cfg = Config(dict(train_dataloader=dict(dataset=dict(type='UnionOfDomains'))))
    with pytest.raises(KeyError, match='no train_dataloader.dataset.source, .* but a UnionOfDomains'):
        evaluate_on(cfg, 'source')
    with pytest.raises(KeyError, match='no val_dataloader'):
        evaluate_on(cfg, 'val')
    with pytest.raises(ValueError, match="no split 'train': choose one of test, val, source, target"):
        evaluate_on(cfg, 'train')


class Images:
    """A data set with one image."""

    def __init__(self, label: str | None) -> None:
        self.label = label

    def get_data_info(self, index: int) -> dict:
        return dict(img_path='/data/x.png', seg_map_path=self.label)


def test_images_without_labels_are_told(tmp_path):
    metric = dict(type='DomainIoUMetric')
    (tmp_path / 'x.png').touch()
    check_labelled(Images(str(tmp_path / 'x.png')), metric)
    with pytest.raises(ValueError, match='x.png has no label. Images without labels are segmented by tools/predict'):
        check_labelled(Images(None), metric)
    with pytest.raises(ValueError, match='should have the label .*y.png, which does not exist'):
        check_labelled(Images(str(tmp_path / 'y.png')), [metric])
    check_labelled(Images(None), dict(type='CityscapesMetric', format_only=True))


def test_labels_that_no_step_loads_are_told(tmp_path):
    (tmp_path / 'x.png').touch()
    dataset, metric = Images(str(tmp_path / 'x.png')), dict(type='DomainIoUMetric')
    load, pack = dict(type='LoadDomainImage'), dict(type='PackSegInputs')
    for labels in ([dict(type='LoadDomainAnnotations')], []):
        for pipeline in ([load, *labels, pack], mirrored_pipeline([load, *labels, pack])):
            dataset.pipeline = Compose([TRANSFORMS.build(step) for step in pipeline])
            if labels:
                check_labelled(dataset, metric)
            else:
                with pytest.raises(ValueError, match='has a label that the test pipeline does not load'):
                    check_labelled(dataset, metric)
