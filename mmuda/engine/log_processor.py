"""Log lines that fit on a screen."""

from typing import Any

from mmengine.runner import LogProcessor, Runner
from mmseg.registry import LOG_PROCESSORS

SUMMARIES = ('mean', 'deviation')
"""Last parts of the names of values that :class:`LabelFreeHook` logs in a separate line."""


@LOG_PROCESSORS.register_module()
class BriefLogProcessor(LogProcessor):
    """mmengine's :class:`LogProcessor`, without numbers of single classes in the line after a validation or a test.

    These numbers are in the table of the metric above that line, and the visualizer still gets all of them. A value
    belongs to a class if its name ends with ``/<class>``.
    """

    def get_log_after_epoch(
        self, runner: Runner, batch_idx: int, mode: str, with_non_scalar: bool = False
    ) -> tuple[dict, str]:
        """Return the values and the text as mmengine does, with a shorter text."""
        tag, text = super().get_log_after_epoch(runner, batch_idx, mode, with_non_scalar)
        loop: Any = runner.val_loop if mode == 'val' else runner.test_loop
        classes = getattr(loop.dataloader.dataset, 'metainfo', {}).get('classes') or ()
        endings = tuple(f'/{name}' for name in (*classes, *SUMMARIES))
        parts = (part for part in text.split('  ') if not part.partition(': ')[0].endswith(endings))
        return tag, '  '.join(parts)
