"""LabelFreeHook: scores without labels in every validation, and warnings about vanished and dominant classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor

from mmuda.constants import LABEL_FREE_PREFIX, LABEL_FREE_SCORES
from mmuda.models.teachers import EMATeacher
from mmuda.ranks import unwrap

from .label_free import LabelFreeMetric

STEP = 4
"""Stride, in rows and columns, at which source labels are counted."""


@HOOKS.register_module()
class LabelFreeHook(Hook):
    """Hook that adds scores without labels of the target to every validation.

    It adds a :class:`LabelFreeMetric` to the evaluator of the validation, so that ``save_best`` can name any of its
    scores (``'label_free/IM'``). The source shares of the classes are counted in the labels of the training batches so
    far, in every fourth row and column. They are therefore the shares in the source as training samples it. The teacher
    is the first :class:`EMATeacher` of the adaptor.

    After a validation the hook logs one line with the scores, and with mean and standard deviation (n - 1) of each
    score over the last validations. These are also logged as ``<name>/mean`` and ``<name>/deviation``. A checkpoint
    that was saved just before a validation does not contain its scores: after a resume from it, mean and deviation lack
    that validation.

    A warning names classes that were predicted before and have vanished, and classes that dominate the predictions.

    Args:
        last: Number of validations for mean and deviation.
        teacher: Compute the agreement with the teacher, for which it forwards the validation images once more.
        vanished: A class has vanished if its share of the predicted pixels falls below this factor times its share of
            the source labels as training draws them (without source labels, times its largest share so far).
        taken_over: A class takes over if its share of the predicted pixels reaches its share of the source labels plus
            this, or 0.9 (without source labels, 0.9).
        **kwargs: Arguments of :class:`LabelFreeMetric`.

    Raises:
        ValueError: If an option is out of range.
    """

    priority = 'HIGH'  # after the metrics are in the message hub, and before they are logged

    def __init__(
        self, last: int = 5, teacher: bool = True, vanished: float = 0.05, taken_over: float = 0.5, **kwargs: Any
    ) -> None:
        if last < 2 or not 0 < vanished < 1 or not 0 < taken_over < 1:
            raise ValueError(
                f'LabelFreeHook: last={last} must be at least 2, vanished={vanished} and taken_over={taken_over} '
                'between 0 and 1'
            )
        self.last, self.teacher, self.vanished, self.taken_over = last, teacher, vanished, taken_over
        self.metric = LabelFreeMetric(**kwargs)
        self._counted: Tensor | None = None
        self._total: Tensor | None = None

    # Counts of the source labels.

    def before_train(self, runner: Runner) -> None:
        """Reset the counts if the training starts from iteration 0."""
        if runner.iter == 0:
            self._counted = self._total = None

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        """Count the labels of the source images of a batch, on the CPU, where the data loader leaves them."""
        source = data_batch.get('source') if isinstance(data_batch, dict) else None
        labels = [
            sample.gt_sem_seg.data[..., ::STEP, ::STEP].flatten()
            for sample in (source or {}).get('data_samples') or ()
            if 'gt_sem_seg' in sample
        ]
        if labels:
            counts = torch.bincount(torch.cat(labels).cpu().to(torch.int64).clamp_(0, 255), minlength=256)
            self._counted = counts if self._counted is None else self._counted + counts

    def before_gather_checkpoint(self, runner: Runner) -> None:
        """Sum the counts over all processes."""
        self._gather()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the counts in the checkpoint."""
        checkpoint['source_class_counts'] = self._total

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the counts from the checkpoint."""
        self._total = checkpoint.get('source_class_counts')
        self._counted = None

    def _gather(self) -> None:
        counts = torch.zeros(256, dtype=torch.int64) if self._counted is None else self._counted
        all_reduce(counts)
        self._counted = None
        self._total = counts if self._total is None else self._total + counts

    # Scores of a validation.

    def before_val(self, runner: Runner) -> None:
        """Add the metric to the evaluator, and set the source shares and the teacher."""
        self._gather()
        loop: Any = runner.val_loop
        if not any(isinstance(metric, LabelFreeMetric) for metric in loop.evaluator.metrics):
            loop.evaluator.metrics.append(self.metric)
        metric = next(metric for metric in loop.evaluator.metrics if isinstance(metric, LabelFreeMetric))
        metric.dataset_meta = loop.dataloader.dataset.metainfo
        metric.source_shares = self._source_shares(len(metric.dataset_meta['classes']))
        model = unwrap(runner.model)
        teacher = next((child for child in model.children() if isinstance(child, EMATeacher)), None)
        metric.teacher = _Predictions(model, teacher) if self.teacher and teacher is not None else None

    def _source_shares(self, num_classes: int) -> np.ndarray | None:
        """Return the share of each class in the source labels so far, (C,); None without labels."""
        counts = np.zeros(num_classes) if self._total is None else self._total[:num_classes].numpy()
        return counts / counts.sum() if counts.sum() else None

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Log the scores with their means over the last validations, and warn about classes."""
        metrics = metrics or {}
        if f'{LABEL_FREE_PREFIX}/entropy' not in metrics:
            return
        lasting = {name: self._last(runner, name) for name in metrics if _is_mean(name)}
        parts = []
        for name, values in lasting.items():
            text = f'{name.removeprefix(LABEL_FREE_PREFIX + "/")} {metrics[name]:.4g}'
            if len(values) > 1:
                mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
                runner.message_hub.update_scalar(f'val/{name}/mean', mean)
                runner.message_hub.update_scalar(f'val/{name}/deviation', deviation)
                text += f' (last {len(values)}: {mean:.4g} +- {deviation:.2g})'
            parts.append(text)
        runner.logger.info(f'iteration {runner.iter}: {", ".join(parts)}')
        for event, classes in self._alarms(runner, metrics).items():
            runner.logger.warning(f'iteration {runner.iter}: {event}: {", ".join(classes)}')

    def _last(self, runner: Runner, name: str) -> list[float]:
        """Return the values of a score in the last validations."""
        history, _ = runner.message_hub.get_scalar(f'val/{name}').data
        return history[-self.last :].tolist()

    def _alarms(self, runner: Runner, metrics: Mapping[str, float]) -> dict[str, list[str]]:
        """Return the classes that vanished or took over in this validation, with their shares, by event."""
        vanished, taking_over = [], []
        start = f'{LABEL_FREE_PREFIX}/share/'
        names = [name.removeprefix(start) for name in metrics if name.startswith(start)]
        sources = self._source_shares(len(names))
        for place, name in enumerate(names):
            history, _ = runner.message_hub.get_scalar(f'val/{start}{name}').data
            *before, now = (history / 100).tolist()
            source = None if sources is None else float(sources[place])
            low = self.vanished * (max(before, default=0) if source is None else source)
            high = 0.9 if source is None else min(0.9, source + self.taken_over)
            drawn = '' if source is None else f', {source:.2%} of the source as training draws it'
            told = f'{name} ({now:.2%} of the predicted pixels{drawn}'
            if before and now < low <= before[-1]:
                vanished.append(f'{told}, {before[-1]:.2%} before)')
            elif now >= high and (not before or before[-1] < high):
                taking_over.append(f'{told})')
        found = {'classes have vanished': vanished, 'a class takes over': taking_over}
        return {event: classes for event, classes in found.items() if classes}


class _Predictions:
    """Function that returns the classes that a teacher predicts for the images of a batch."""

    def __init__(self, model: Any, teacher: EMATeacher) -> None:
        self.model, self.network = model, teacher.segmentor

    @torch.no_grad()
    def __call__(self, batch: Any, samples: Sequence[Mapping[str, Any]]) -> list[Tensor]:
        # New samples without labels: the samples of the batch have labels and the segmentor's predictions already.
        bare = [type(sample)(metainfo=sample.metainfo) for sample in batch['data_samples']]
        images = self.model.data_preprocessor(dict(batch, data_samples=bare), training=False)
        predicted = self.network(images['inputs'], images['data_samples'], mode='predict')
        return [sample.pred_sem_seg.data[0] for sample in predicted]


def _is_mean(name: str) -> bool:
    """Return whether a metric is a mean over classes or a score without labels."""
    return '/' not in name or name in {f'{LABEL_FREE_PREFIX}/{score}' for score in LABEL_FREE_SCORES}
