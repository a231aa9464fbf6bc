"""The commands of tools/, run as users run them."""

import os
import subprocess
import sys
from pathlib import Path

from toolbox import CONFIGS, tiny_options

TOOLS = CONFIGS.parent / 'tools'


def run(minicity: Path, *script, fails: bool = False) -> str:
    """Run a Python script with arguments; return what it prints."""
    out = subprocess.run(
        [sys.executable, *map(str, script)],
        capture_output=True,
        text=True,
        cwd=CONFIGS.parent,
        env=dict(os.environ, MINICITY_ROOT=str(minicity), OMP_NUM_THREADS='1'),
    )
    assert (out.returncode != 0) == fails, out.stdout[-2000:] + out.stderr[-3000:]
    return out.stdout + out.stderr


def options(method: str) -> list:
    """The arguments that make `configs/<method>/minicity.py` tiny."""
    return ['--cfg-options', *(f'{key}={value}' for key, value in tiny_options(method).items())]
