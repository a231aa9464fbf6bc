"""One optimizer for each trainable child of an adaptor."""

import logging

from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIMIZERS
from mmseg.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from mmuda.ranks import unwrap

from ..terminal import log_from
from .wrappers import AdaptorOptimWrapperDict, ModuleOptimWrapper, make_scaler

SHARED_KEYS = ('constructor', 'type', 'precision', 'loss_scale', 'accumulative_counts')
"""Keys of ``optim_wrapper`` that apply to all modules."""

ENTRY_KEYS = ('optimizer', 'paramwise_cfg', 'clip_grad', 'repeats')
"""Keys in the entry of a module."""


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class PerModuleOptimWrapperConstructor:
    """Constructor of an :class:`AdaptorOptimWrapperDict` from a config with one entry for each trainable child.

    ::

        optim_wrapper = dict(
            constructor='PerModuleOptimWrapperConstructor',
            precision=None,             # or 'bfloat16', 'float16'
            accumulative_counts=1,      # iterations for one step
            segmentor=dict(
                optimizer=dict(type='SGD', lr=2.5e-4, momentum=0.9, weight_decay=5e-4),
                paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.)))),
            discriminator=dict(optimizer=dict(type='Adam', lr=1e-4, betas=(0.9, 0.99))))

    ``paramwise_cfg`` has mmengine's format. Weights with equal settings share one parameter group, so a step takes a
    few fused calls instead of one call for each weight. Weights without gradients (frozen batch-norm) are left out.

    ``repeats='backbone'`` in the entry of a module reproduces the duplicate listing of weights in the released code of
    AdaptSegNet and ADVENT for the child ``backbone`` of the module: each weight counts once for every module in the
    backbone that encloses it (stem convolution 1, bottleneck convolutions 3, shortcut convolutions 4). It needs
    ``optimizer.type='LegacySGD'``.

    Args:
        optim_wrapper_cfg: The config above without ``constructor``.
        paramwise_cfg: Must be None: ``paramwise_cfg`` belongs in the entry of a module.

    Raises:
        ValueError: If ``paramwise_cfg`` is given. When it is called: if an entry names no trainable child, a trainable
            child has no entry, or an entry has an unknown key.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        if paramwise_cfg is not None:
            raise ValueError(
                'PerModuleOptimWrapperConstructor: paramwise_cfg belongs in the entry of a module, '
                'for instance optim_wrapper.segmentor.paramwise_cfg'
            )
        cfg = optim_wrapper_cfg
        self.precision: str | None = cfg.get('precision')
        self.loss_scale: str | float = cfg.get('loss_scale', 'dynamic')
        self.accumulative_counts: int = cfg.get('accumulative_counts', 1)
        self.modules = {name: entry for name, entry in cfg.items() if name not in SHARED_KEYS}

    def __call__(self, model: nn.Module) -> AdaptorOptimWrapperDict:
        model = unwrap(model)
        trainable = {
            name: unwrap(child)
            for name, child in model.named_children()
            if any(p.requires_grad for p in child.parameters())
        }
        if set(trainable) != set(self.modules):
            raise ValueError(
                f'optim_wrapper has entries for {sorted(self.modules)}, but the trainable children of '
                f'{type(model).__name__} are {sorted(trainable)}: write one entry with the name of each child'
            )
        # The order of the config is the order of the steps and of the log.
        wrappers = {name: self._build(name, trainable[name], dict(cfg)) for name, cfg in self.modules.items()}
        return AdaptorOptimWrapperDict(self.precision, **wrappers)

    def _build(self, name: str, module: nn.Module, cfg: dict) -> ModuleOptimWrapper:
        extra = set(cfg) - set(ENTRY_KEYS)
        if extra:
            raise ValueError(
                f'optim_wrapper.{name}: unknown keys {sorted(extra)}, known are {", ".join(ENTRY_KEYS)}; '
                f'{", ".join(SHARED_KEYS)} apply to all modules and belong directly in optim_wrapper'
            )
        repeats = cfg.pop('repeats', None)
        clip_grad = cfg.pop('clip_grad', None)
        rules = _GroupRules(cfg, cfg.pop('paramwise_cfg', None))
        with log_from(logging.ERROR):  # mmengine logs a line for each weight, and a warning for each frozen one
            groups: list[dict] = []
            rules.add_params(groups, module)
        if repeats is not None:
            _count_listings(groups, module, repeats, f'optim_wrapper.{name}')
        optimizer = OPTIMIZERS.build(dict(rules.optimizer_cfg, params=_merge(groups)))
        return ModuleOptimWrapper(
            optimizer,
            scaler=make_scaler(self.precision, self.loss_scale),
            fixed_scale=None if self.loss_scale == 'dynamic' else float(self.loss_scale),
            accumulative_counts=self.accumulative_counts,
            clip_grad=None if clip_grad is None else dict(clip_grad),
        )


class _GroupRules(DefaultOptimWrapperConstructor):
    """mmengine's rules for ``paramwise_cfg``, of which only ``add_params`` is used."""


def _merge(groups: list[dict]) -> list[dict]:
    """Return one group for each distinct set of options, in the order of their first appearance."""
    merged: dict[tuple, dict] = {}
    for group in groups:
        options = {key: value for key, value in group.items() if key not in ('params', 'lr_mult', 'decay_mult')}
        key = tuple(sorted((name, repr(value)) for name, value in options.items()))
        merged.setdefault(key, {'params': [], **options})['params'].extend(
            p for p in group['params'] if p.requires_grad
        )
    return [group for group in merged.values() if group['params']]


def _count_listings(groups: list[dict], module: nn.Module, child: str, where: str) -> None:
    """Set ``repeats`` of the weights below ``child`` to the number of modules in ``child`` that enclose them."""
    prefix = child + '.'
    counts = {id(p): name[len(prefix) :].count('.') for name, p in module.named_parameters() if name.startswith(prefix)}
    if not counts:
        raise ValueError(f'{where}.repeats={child!r} names no child with parameters of {type(module).__name__}')
    for group in groups:
        count = counts.get(id(group['params'][0]), 1)
        group['repeats'] = max(count, 1)
