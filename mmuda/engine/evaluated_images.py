"""Tests on other splits of a config than its test images, such as the source images of the training."""

import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config, ConfigDict

from .launch import metrics_with

SPLITS = ('test', 'val', 'source', 'target')
"""Splits that :func:`evaluate_on` can choose."""


def evaluate_on(cfg: Config, split: str, training: Config | None = None) -> None:
    """Change a config so that it tests a network on another split.

    ``'source'`` and ``'target'`` are training images, read by the test pipeline. If the test pipeline and the training
    pipeline each have exactly one resizing step of the same type, the step of the training is used. So images of GTA5
    do not get the aspect ratio of Cityscapes. Figures of a paper are not shown: they belong to its test images.

    Args:
        cfg: Config of the network. It is changed.
        split: One of :data:`SPLITS`.
        training: Config with the training, if ``cfg`` has none, as in a run with stages.

    Raises:
        ValueError: If the split is unknown.
        KeyError: If the config has no such split.
    """
    if split not in SPLITS:
        raise ValueError(f'there is no split {split!r}: choose one of {", ".join(SPLITS)}')
    if split == 'test':
        return
    if split == 'val':
        if cfg.get('val_dataloader') is None:
            raise KeyError(f'{cfg.filename} has no val_dataloader, which --on val needs: choose another split')
        cfg.test_dataloader = copy.deepcopy(cfg.val_dataloader)
        cfg.test_evaluator = copy.deepcopy(cfg.get('val_evaluator') or cfg.test_evaluator)
    else:
        pair = ((training or cfg).get('train_dataloader') or {}).get('dataset') or {}
        if not isinstance(pair.get(split), Mapping):
            raise KeyError(
                f'{cfg.filename} has no train_dataloader.dataset.{split}, which --on {split} needs, but a '
                f'{pair.get("type")}'
            )
        pipeline = cfg.test_dataloader.dataset.pipeline
        cfg.test_dataloader = ConfigDict(
            copy.deepcopy(dict(cfg.test_dataloader)), dataset=_tested(copy.deepcopy(pair[split]), pipeline)
        )
        preprocessor = cfg.model.get('data_preprocessor')
        if isinstance(preprocessor, Mapping):
            cfg.model.data_preprocessor = of_domain(preprocessor, split)
    if split == 'source' and not metrics_with(cfg.test_evaluator, 'iou_metrics'):
        cfg.test_evaluator = ConfigDict(type='DomainIoUMetric')  # the metrics of an unlabelled target need no labels
    evaluator = cfg.test_evaluator
    for metric in evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]:
        if metric.get('paper') is not None:
            metric['paper'] = None


def of_domain(preprocessor: Mapping, domain: str) -> ConfigDict:
    """Return the config of a preprocessor that treats test images as images of one domain.

    Args:
        preprocessor: Config for both domains; ``source=dict(...)`` and ``target=dict(...)`` hold the differences.
        domain: ``'source'`` or ``'target'``.
    """
    both = {key: value for key, value in preprocessor.items() if key not in ('source', 'target')}
    return ConfigDict({**both, **(preprocessor.get(domain) or {})})


def check_labelled(dataset: Any, evaluator: Any) -> None:
    """Check that test images have labels; only the first image is checked.

    Args:
        dataset: Data set of the test.
        evaluator: ``test_evaluator`` of the config. Metrics with ``format_only`` need no labels.

    Raises:
        ValueError: If the first image has no label, or the test pipeline does not load it.
    """
    metrics = evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]
    if any(metric.get('format_only') for metric in metrics) or not hasattr(dataset, 'get_data_info'):
        return
    info = dataset.get_data_info(0)
    label = info.get('seg_map_path')
    pipeline = getattr(dataset, 'pipeline', None)
    if label is None:
        reason = 'has no label'
    elif os.path.isabs(label) and not os.path.exists(label):
        reason = f'should have the label {label}, which does not exist'
    elif pipeline is not None and not _loads_labels(pipeline):
        reason = 'has a label that the test pipeline does not load'
    else:
        return
    raise ValueError(
        f'there is nothing to compare with: {info.get("img_path")} {reason}. Images without labels are segmented by '
        'tools/predict.py CONFIG CHECKPOINT IMAGES --out DIR'
    )


def _loads_labels(pipeline: Any) -> bool:
    """Return whether a step of a built pipeline loads labels, also in the branches of ``TestTimeAug``."""
    return any(
        'Annotations' in type(step).__name__ or any(map(_loads_labels, getattr(step, 'subroutines', ())))
        for step in pipeline.transforms
    )


def _tested(dataset: Any, test_pipeline: Sequence[dict]) -> Any:
    """Change the config of a training data set, and of all data sets in it, to be read for a test, and return it."""
    if dataset.get('datasets'):
        dataset['datasets'] = [_tested(one, test_pipeline) for one in dataset['datasets']]
    if dataset.get('pipeline'):
        dataset.update(pipeline=_test_pipeline(dataset['pipeline'], test_pipeline), test_mode=True)
    return dataset


def _test_pipeline(training: Sequence[dict], test: Sequence[dict]) -> list[dict]:
    """Return a test pipeline with the image reader, the label loader and the resizing of a training pipeline."""
    steps = [_counterpart(step, training, test) for step in test]
    labels = [step for step in training if 'Annotations' in step['type']]
    places = [place for place, step in enumerate(steps) if 'Annotations' in step['type']]
    steps = [step for step in steps if 'Annotations' not in step['type']]
    last = next((place for place, step in enumerate(steps) if step['type'].startswith('Pack')), len(steps))
    place = places[0] if places else last
    return [*steps[:place], *labels, *steps[place:]]


def _counterpart(step: dict, training: Sequence[dict], test: Sequence[dict]) -> dict:
    """Return the step of the training pipeline that reads or resizes images as a test step does, or the test step."""
    if step['type'].startswith('Load') and step is test[0]:
        return _of_whole_images(training[0])
    same = [[one for one in steps if one['type'] == step['type']] for steps in (training, test)]
    return same[0][0] if step['type'].startswith('Resize') and [len(one) for one in same] == [1, 1] else step


def _of_whole_images(step: dict) -> dict:
    """Return a step that reads an image, changed to read the whole image if it reads a window."""
    if step['type'] != 'LoadDomainWindow':
        return step
    settings = {key: value for key, value in step.items() if key not in ('size', 'draws')}
    return dict(settings, type='LoadDomainImage')
