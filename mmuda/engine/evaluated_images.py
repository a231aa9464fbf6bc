"""Tests on other images of a config than those of its test, such as the source that a network was trained with."""

import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config, ConfigDict

from .launch import metrics_with

SPLITS = ('test', 'val', 'source', 'target')
"""Images that :func:`evaluate_on` chooses from."""


def evaluate_on(cfg: Config, split: str, training: Config | None = None) -> None:
    """Let a config test a network on another split.

    ``'source'`` and ``'target'`` are the images that the network was trained with, read by the test pipeline; they are
    resized as in the training, where both pipelines have a resizing step of one kind, so that images of GTA5 do not get
    the proportions of Cityscapes. The figures of a paper are those of its test images, so none are shown.

    Args:
        cfg: Config of the network, which is changed.
        split: One of :data:`SPLITS`.
        training: Config with the training, if ``cfg`` has none: that of a run in stages.

    Raises:
        ValueError: For an unknown split.
        KeyError: If the config has no such split.
    """
    if split not in SPLITS:
        raise ValueError(f'there is no split {split!r}: choose one of {", ".join(SPLITS)}')
    if split == 'test':
        return
    if split == 'val':
        if cfg.get('val_dataloader') is None:
            raise KeyError(f'{cfg.filename} has no val_dataloader, which --on val reads')
        cfg.test_dataloader = copy.deepcopy(cfg.val_dataloader)
        cfg.test_evaluator = copy.deepcopy(cfg.get('val_evaluator') or cfg.test_evaluator)
    else:
        pair = ((training or cfg).get('train_dataloader') or {}).get('dataset') or {}
        if not isinstance(pair.get(split), Mapping):
            raise KeyError(
                f'{cfg.filename} has no train_dataloader.dataset.{split}, which --on {split} reads, but a '
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
        cfg.test_evaluator = ConfigDict(type='DomainIoUMetric')  # the target had no labels to compare with
    evaluator = cfg.test_evaluator
    for metric in evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]:
        if metric.get('paper') is not None:
            metric['paper'] = None


def of_domain(preprocessor: Mapping, domain: str) -> ConfigDict:
    """Return the config of a preprocessor that treats test images as those of one domain.

    Args:
        preprocessor: Of both domains; ``source=dict(...)`` and ``target=dict(...)`` are what differs.
        domain: ``'source'`` or ``'target'``.
    """
    both = {key: value for key, value in preprocessor.items() if key not in ('source', 'target')}
    return ConfigDict({**both, **(preprocessor.get(domain) or {})})


def check_labelled(dataset: Any, evaluator: Any) -> None:
    """Check that the images of a test have labels, by the first one.

    Args:
        dataset: The images.
        evaluator: ``test_evaluator`` of the config; metrics with ``format_only`` need no labels.

    Raises:
        ValueError: If they have none.
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
    """Return whether a step of a built pipeline loads labels, be it in the branches of ``TestTimeAug``."""
    return any(
        'Annotations' in type(step).__name__ or any(map(_loads_labels, getattr(step, 'subroutines', ())))
        for step in pipeline.transforms
    )


def _tested(dataset: Any, test_pipeline: Sequence[dict]) -> Any:
    """Return the config of a data set for training that is read for a test, or of all data sets in it."""
    if dataset.get('datasets'):
        dataset['datasets'] = [_tested(one, test_pipeline) for one in dataset['datasets']]
    if dataset.get('pipeline'):
        dataset.update(pipeline=_test_pipeline(dataset['pipeline'], test_pipeline), test_mode=True)
    return dataset


def _test_pipeline(training: Sequence[dict], test: Sequence[dict]) -> list[dict]:
    """Return the steps of a test with the reading, the labels and the size of a training pipeline."""
    steps = [_counterpart(step, training, test) for step in test]
    labels = [step for step in training if 'Annotations' in step['type']]
    places = [place for place, step in enumerate(steps) if 'Annotations' in step['type']]
    steps = [step for step in steps if 'Annotations' not in step['type']]
    last = next((place for place, step in enumerate(steps) if step['type'].startswith('Pack')), len(steps))
    place = places[0] if places else last
    return [*steps[:place], *labels, *steps[place:]]


def _counterpart(step: dict, training: Sequence[dict], test: Sequence[dict]) -> dict:
    """Return the step of a training pipeline that does what one of the test does: reads the image, or resizes it."""
    if step['type'].startswith('Load') and step is test[0]:
        return _of_whole_images(training[0])
    same = [[one for one in steps if one['type'] == step['type']] for steps in (training, test)]
    return same[0][0] if step['type'].startswith('Resize') and [len(one) for one in same] == [1, 1] else step


def _of_whole_images(step: dict) -> dict:
    """Return a step that reads an image as one that reads no window of it."""
    if step['type'] != 'LoadDomainWindow':
        return step
    settings = {key: value for key, value in step.items() if key not in ('size', 'draws')}
    return dict(settings, type='LoadDomainImage')
