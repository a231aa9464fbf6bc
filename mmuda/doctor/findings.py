"""All mistakes of a config, also mistakes that another one hides."""

import copy
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from mmuda.checks import ERROR, Finding, check_config
from mmuda.checks.data import datasets_of
from mmuda.checks.finding import split_stage
from mmuda.stages import TrainStage, build_stages, make_context

MOST_PASSES = 6


def all_findings(cfg: Config) -> tuple[list[Finding], Config]:
    """Check a config, then check it again without the keys that are wrong, until nothing more is found.

    :func:`check_config` builds nothing from wrong keys. Without these keys it checks more, so that a misspelt key does
    not hide, for example, a schedule that ends too early.

    Args:
        cfg: As :func:`mmuda.engine.launch.load_config` returns it. It is not changed.

    Returns:
        All findings, and the config without the wrong keys that prevented further checks.
    """
    found: dict[str, Finding] = {}
    removed: set[str] = set()
    kept, current = cfg, copy.deepcopy(cfg)
    for _ in range(MOST_PASSES):
        checked = check_config(current)
        of_removed = [one for one in checked if any(related(one.key, key) for key in removed)]
        new = [one for one in checked if one.key not in found and one not in of_removed]
        if removed and not new:
            # A required key, such as in_channels, stays with its wrong value: nothing can be built without it.
            kept = kept if of_removed else current
            break
        found.update({one.key: one for one in new})
        kept, current = current, copy.deepcopy(current)
        # A missing folder is found at the place of its data set, which is no wrong key.
        places = {place for place, _ in datasets_of(cfg)}
        wrong = [one.key for one in new if one.level == ERROR and split_stage(one.key)[1] not in places]
        taken = {key for key in wrong if _take_out(current, key)}
        if not taken:
            break
        removed |= taken
    return list(found.values()), kept


def trainings(cfg: Config) -> Iterator[tuple[str, Config]]:
    """Yield the name and the config of each training. A config without stages has one training, named ''.

    ``load_from`` holds the starting weights of the stage, which can be a reference to an earlier stage (``'{name}'``).

    Raises:
        ValueError: If the stages cannot be built.
    """
    if cfg.get('runner_type') != 'StagedRunner':
        yield '', cfg
        return
    stages = build_stages(cfg)
    context = make_context(cfg, stages)
    for stage in stages:
        if isinstance(stage, TrainStage):
            training = stage.config(context)
            if stage.weights is not None:
                training.load_from = stage.weights
            yield stage.name, training


def related(one: str, other: str) -> bool:
    """Return whether two keys are the same, or one is inside of the other."""
    one, other = split_stage(one)[1], split_stage(other)[1]
    return one == other or one.startswith(f'{other}.') or other.startswith(f'{one}.')


def _take_out(cfg: Config, key: str) -> bool:
    """Delete a key, also in the overrides of its stage; return whether it was found."""
    stage, inside = split_stage(key)
    parts = inside.replace('overrides: ', 'overrides.').split('.')
    roots = [cfg]
    if stage:
        own = cfg.get(stage.split('/')[0])
        roots += [own, (own or {}).get('overrides'), (own or {}).get('train')]
    return any([_delete(root, parts) for root in roots if root is not None])


def _delete(node: Any, parts: list[str]) -> bool:
    for part in parts[:-1]:
        if isinstance(node, (list, tuple)) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, (dict, Config)) and part in node:
            node = node[part]
        else:
            return False
    if not isinstance(node, (dict, Config)) or parts[-1] not in node:
        return False
    node.pop(parts[-1])  # Config has no del
    return True
