"""One set of batch-norm statistics for all processes where it matters."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmuda.ranks import unwrap

from ..distributed import average_batch_norm


@HOOKS.register_module()
class BatchNormSyncHook(Hook):
    """Averages running statistics over ranks before validation and before a checkpoint is written.

    Train-mode batch-norm does not read them, so nothing needs to be synchronised in between. Without this every rank
    would validate a different network, and the file would be that of rank 0 alone.
    """

    priority = 'HIGH'

    def before_val(self, runner: Runner) -> None:
        """All ranks validate the network that a checkpoint would hold."""
        average_batch_norm(unwrap(runner.model))

    def before_gather_checkpoint(self, runner: Runner) -> None:
        """All ranks go on with what is saved, as they would after a resume."""
        average_batch_norm(unwrap(runner.model))
