"""Fixtures of the tests of the package."""

import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fixtures import batch, cache_dir, data_roots, default_scope, minicity, quick_runners, sigint_is_heard, trained  # noqa: E402

__all__ = [
    'batch',
    'cache_dir',
    'data_roots',
    'default_scope',
    'minicity',
    'quick_runners',
    'sigint_is_heard',
    'trained',
]

gc.freeze()  # mmengine collects garbage for each data set; without freezing, each collection takes 0.2 s
