"""Look-up of the component that a ``type`` in a config names."""

from typing import Any

from mmengine.registry import FUNCTIONS, Registry
from mmseg.registry import (
    DATA_SAMPLERS,
    DATASETS,
    EVALUATOR,
    HOOKS,
    LOG_PROCESSORS,
    LOOPS,
    METRICS,
    MODEL_WRAPPERS,
    MODELS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    TASK_UTILS,
    TRANSFORMS,
    VISBACKENDS,
    VISUALIZERS,
    WEIGHT_INITIALIZERS,
)

from mmuda.registry import LABEL_STRATEGIES, SOURCE_ORDERS, STAGES, NamedRegistry

from .finding import Finding, joined, nearest, short

BY_KEY: dict[str, Registry] = dict(
    model=MODELS,
    segmentor=MODELS,
    backbone=MODELS,
    decode_head=MODELS,
    auxiliary_head=MODELS,
    data_preprocessor=MODELS,
    tta_model=MODELS,
    test_ensemble=MODELS,
    model_wrapper_cfg=MODEL_WRAPPERS,
    dataset=DATASETS,
    pipeline=TRANSFORMS,
    tta_pipeline=TRANSFORMS,
    sampler=DATA_SAMPLERS,
    batch_sampler=DATA_SAMPLERS,
    collate_fn=FUNCTIONS,
    optimizer=OPTIMIZERS,
    init_cfg=WEIGHT_INITIALIZERS,
    strategy=LABEL_STRATEGIES,
    source_policy=SOURCE_ORDERS,
    visualizer=VISUALIZERS,
    vis_backends=VISBACKENDS,
    log_processor=LOG_PROCESSORS,
    train_cfg=LOOPS,
    val_cfg=LOOPS,
    test_cfg=LOOPS,
    val_evaluator=METRICS,
    test_evaluator=METRICS,
    default_hooks=HOOKS,
    custom_hooks=HOOKS,
    param_scheduler=PARAM_SCHEDULERS,
    optim_wrapper=OPTIM_WRAPPERS,
)
"""Keys of configs, with the registry that their value is built from."""

ALL = (*dict.fromkeys(BY_KEY.values()), EVALUATOR, OPTIM_WRAPPER_CONSTRUCTORS, TASK_UTILS, STAGES)


def find(kind: Any, registry: Registry | None) -> Any:
    """Return the class or function that a ``type`` names, from ``registry`` or else from any other; None if unknown."""
    if not isinstance(kind, str):
        return kind if callable(kind) else None
    for one in (*((registry,) if registry is not None else ()), *ALL):
        found = lookup(one, kind)
        if found is not None:
            return found
    return None


def lookup(registry: Registry, name: str) -> Any:
    """Return the entry of a name in a registry or in the registries that it falls back to; None if there is none."""
    try:
        found = registry.get(name)
    except Exception:  # a name such as 'package.x' of a package that is not installed
        return None
    if found is None and isinstance(registry, NamedRegistry):
        found = TASK_UTILS.get(name)
    return found


def unknown_type(place: str, kind: Any, registry: Registry) -> Finding:
    """Return the finding about a ``type`` that a registry does not have."""
    known = set(registry.module_dict)
    parent = getattr(registry, 'parent', None)
    if parent is not None:
        known |= set(parent.module_dict)
    return Finding(
        joined(place, 'type'), f'there is no {registry.name} {short(kind)}', remedy=nearest(str(kind), known)
    )
