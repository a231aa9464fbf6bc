"""Checks of the top-level keys of config files. A key is read by a component, or it is a variable of the files.

A variable (``root``, ``crop``) is a name that the config file or one of its bases uses: as ``name``, ``_base_.name`` or
``{{_base_.name}}``. Any other name that nothing reads is a mistake if the config itself has it, or if it is
similar to a key. Bases can offer variables that only other configs use. A config that mmengine has dumped holds the
values of all variables, but does not show their use. A name in it that is similar to a key is therefore only a warning.
"""

import difflib
from collections.abc import Iterator

from mmengine.config import Config

from mmuda.engine.config_files import read_chain
from mmuda.engine.launch import LIVE_KEYS
from mmuda.internals import RUNNER_ARGUMENTS
from mmuda.registry import STAGES

from .finding import WARNING, Finding, nearest
from .registries import find

KNOWN = LIVE_KEYS | RUNNER_ARGUMENTS | {'custom_imports', 'vis_backends'}


def check_top_level(cfg: Config) -> Iterator[Finding]:
    """Check the top-level keys of a config."""
    stages = {entry for entry in cfg.get('stages') or () if isinstance(entry, str)}
    chain = read_chain(cfg.filename) if cfg.filename else []
    used = {name for file in chain for name in file.used}
    assigned = {name for file in chain for name in file.assigned}
    own = chain[0].alone if chain else set()
    whole = bool(chain) and all(file.whole for file in chain)
    for key, value in cfg.items():
        if key in KNOWN or key in stages or key.startswith('_') or key in used:
            continue
        if isinstance(value, dict) and isinstance(find(value.get('type'), STAGES), type) and value['type'] in STAGES:
            continue  # a stage that `stages` of this config leaves out
        close = difflib.get_close_matches(key, {*KNOWN, *stages}, n=1, cutoff=0.8)
        remedy = nearest(key, {*KNOWN, *stages})
        if chain and chain[0].dumped:
            if close:
                yield Finding(key, 'nothing reads this key', remedy=remedy, level=WARNING)
        elif close or key in own or (whole and key not in assigned):
            yield Finding(key, 'nothing reads this key', remedy=remedy)
