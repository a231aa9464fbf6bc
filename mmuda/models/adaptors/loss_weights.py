"""Weights of losses: one for each term of a method and each level of the segmentor."""

import warnings
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from mmuda.constants import TARGET_LABELLED

from .inference import SegmentorModel

Losses = dict[str, Tensor]


class WeightedLosses(SegmentorModel):
    """A model that logs its losses and multiplies them by weights.

    Args:
        segmentor: As in :class:`SegmentorModel`.
        data_preprocessor: As in :class:`SegmentorModel`.
        init_cfg: As in mmengine.
        loss_weights: Weights that differ from :attr:`LOSS_WEIGHTS`, and weights of :attr:`SHARED_LOSS_WEIGHTS`. Keys
            are ``<term>`` or ``<term>_<level>``, where ``main`` is the decode head and ``aux`` an auxiliary head. A
            term with a weight for ``main`` can have one for each level of the segmentor. The attribute
            ``loss_weights`` has all weights of the method; hooks can change them during training.

    Raises:
        ValueError: If ``loss_weights`` has an unknown key.
    """

    LOSS_WEIGHTS: Mapping[str, float] = dict(seg_main=1.0, seg_aux=0.1)
    """Loss weights of the method, with their values in the paper."""

    SHARED_LOSS_WEIGHTS: Mapping[str, float] = {TARGET_LABELLED: 1.0}
    """Loss weights that exist for every method, with their default values.

    ``target_labelled`` multiplies the losses of target images with ground truth.
    """

    def __init__(
        self,
        segmentor: dict,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
        loss_weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(segmentor, data_preprocessor, init_cfg)
        unknown = set(loss_weights or ()) - {*self.LOSS_WEIGHTS, *self.SHARED_LOSS_WEIGHTS}
        unknown -= self._weights_of_levels() if unknown else set()
        if unknown:
            known = sorted({*self.LOSS_WEIGHTS, *self._weights_of_levels()})
            raise ValueError(
                f'{type(self).__name__}: unknown loss_weights {sorted(unknown)}, known are {known}, and for all '
                f'methods {", ".join(self.SHARED_LOSS_WEIGHTS)}'
            )
        self.loss_weights = {**self.LOSS_WEIGHTS, **(loss_weights or {})}
        self._logged: Losses = {}

    def weigh(
        self, term: str | Losses, losses: Tensor | Mapping[str, Tensor] | None = None, domain: str | None = None
    ) -> Losses:
        """Log the losses of one term and return them multiplied by their weights.

        ::

            self.weigh('adv', loss)                       # {'loss_adv': loss * loss_weights['adv']}
            self.weigh('ent', {'main': a, 'aux': b})      # 'loss_ent_main' by 'ent_main', 'loss_ent_aux' by 'ent_aux'
            self.weigh('feat', loss, domain='source')     # 'loss_feat_source' by 'feat'

        Args:
            term: Name of the term. (Deprecated: losses by name, ``{'loss_<term>_<level>': loss}``.)
            losses: A scalar, or scalars by level.
            domain: Name of the domain, for a term with a loss for each domain. It is appended to the names in the log.

        Returns:
            Weighted losses by name, which :meth:`BaseAdaptor.adapt` can yield. The log shows the unweighted values.

        Raises:
            KeyError: If ``loss_weights`` has no weight for the term or one of the levels.
        """
        if not isinstance(term, str):
            return self._weigh_by_name(term)
        parts: Iterable[tuple[str | None, Tensor]]
        parts = [(None, losses)] if isinstance(losses, Tensor) else (losses or {}).items()
        weighted: Losses = {}
        for level, loss in parts:
            name = '_'.join(part for part in ('loss', term, level, domain) if part)
            self.log(**{name: loss})
            weighted[name] = loss * self.loss_weight(term, level)
        return weighted

    def loss_weight(self, term: str, level: str | None = None) -> float:
        """Return the current weight of a term, ``loss_weights['<term>']``, or of a level, ``['<term>_<level>']``.

        Auxiliary levels ``aux_0``, ``aux_1``, ... have the weight of ``aux`` unless they have their own.

        Raises:
            KeyError: If ``loss_weights`` has no such key.
        """
        if level is None and term in self.SHARED_LOSS_WEIGHTS:
            return self.loss_weights.get(term, self.SHARED_LOSS_WEIGHTS[term])
        key = term if level is None else f'{term}_{level}'
        if level is not None and key not in self.loss_weights:
            key = f'{term}_{self._bare_segmentor.level_groups.get(level, level)}'
        if key not in self.loss_weights:
            raise KeyError(
                f'{type(self).__name__} has no loss weight {key!r}, known are {sorted(self.loss_weights)}: add it to '
                'LOSS_WEIGHTS of the class, or, for one more level of the segmentor, to loss_weights of the config'
            )
        return self.loss_weights[key]

    def log(self, **values: Tensor) -> None:
        """Add scalars to the training log; they are not optimised.

        If a yielded loss has the same name, the log shows the value given here.
        """
        self._logged.update({name: torch.as_tensor(value).detach() for name, value in values.items()})

    def _weights_of_levels(self) -> set[str]:
        """Return the allowed keys with a level: one for each level of each term that has a weight for ``main``."""
        terms = {key.removesuffix('_main') for key in self.LOSS_WEIGHTS if key.endswith('_main')}
        return {f'{term}_{level}' for term in terms for level in self._bare_segmentor.level_groups}

    def _weigh_by_name(self, losses: Losses) -> Losses:
        """Return weighted losses for the deprecated call with losses by name."""
        warnings.warn(
            "weigh({'loss_<term>_<level>': loss}) is deprecated: write weigh('<term>', {level: loss})",
            FutureWarning,
            stacklevel=3,
        )
        numbers = range(len(self._bare_segmentor.level_groups))
        keys = {f'loss_{key}_{number}': key for key in self.loss_weights for number in numbers}
        keys |= {f'loss_{key}': key for key in self.loss_weights}
        unknown = set(losses) - set(keys)
        if unknown:
            known = sorted(self.loss_weights)
            raise KeyError(f'{type(self).__name__} has no loss weights for {sorted(unknown)}, known are {known}')
        self.log(**losses)
        return {name: loss * self.loss_weights[keys[name]] for name, loss in losses.items()}
