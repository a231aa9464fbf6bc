"""Learning rate schedules that combinations of mmengine's schedulers do not give."""

from typing import Any

from mmengine.optim import PolyLR
from mmseg.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class WarmupPolyLR(PolyLR):
    r"""Polynomial decay, multiplied by a linear warm-up, as in mmseg 0.x and the training of DAFormer.

    .. math:: \eta_t = w_t \left( (\eta - \eta_{min}) \Big(1 - \frac{t}{T}\Big)^p + \eta_{min} \right), \quad
       w_t = 1 - \Big(1 - \frac{t}{W}\Big) (1 - r) \text{ for } t < W, \text{ else } 1

    The decay continues during the warm-up. Each value depends on t alone. mmengine's ``LinearLR`` and ``PolyLR``, which
    change the previous value, give the same only if :math:`\eta_{min} = 0`.

    Args:
        optimizer: As in mmengine.
        warmup: W, number of steps of the warm-up; 0 for no warm-up.
        warmup_ratio: r, the factor of the first step.
        **kwargs: Arguments of :class:`mmengine.optim.PolyLR`: ``power``, ``eta_min``, ``begin``, ``end`` (the first
            step after the schedule: T + 1), ``by_epoch``.

    Raises:
        ValueError: If the warm-up is negative, or the ratio not in (0, 1].
    """

    def __init__(self, optimizer: Any, *args: Any, warmup: int = 0, warmup_ratio: float = 1e-6, **kwargs: Any) -> None:
        if warmup < 0 or not 0 < warmup_ratio <= 1:
            raise ValueError(
                f'warmup must be at least 0 steps and warmup_ratio in (0, 1], but got {warmup} and {warmup_ratio}'
            )
        self.warmup, self.warmup_ratio = warmup, warmup_ratio
        super().__init__(optimizer, *args, **kwargs)

    def _get_value(self) -> list[float]:
        """Return the value of each parameter group at the current step."""
        step = self.last_step
        decay = (1 - step / self.total_iters) ** self.power
        factor = 1 - (1 - step / self.warmup) * (1 - self.warmup_ratio) if step < self.warmup else 1.0
        return [factor * ((base - self.eta_min) * decay + self.eta_min) for base in self.base_values]
