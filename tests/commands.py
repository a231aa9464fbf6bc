"""The scripts of tools/, run as a user runs them."""

import os
import tempfile
from pathlib import Path

from preloaded import run_script, start
from toolbox import CONFIGS, tiny_options

TOOLS = CONFIGS.parent / 'tools'


def run(minicity: Path, *script, fails: bool = False) -> str:
    """Run a Python script with arguments and return its output."""
    code, printed = run_tool(*script, env={'MINICITY_ROOT': str(minicity)})
    assert (code != 0) == fails, printed[-5000:]
    return printed


def run_tool(*script, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a Python script with arguments and additional environment variables; return its exit status and output."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, 'log.txt')
        command = [str(part) for part in script]
        process = start(run_script, command, str(CONFIGS.parent), log=log, env={**os.environ, **(env or {})})
        process.join()
        return process.exitcode, log.read_text()


def options(method: str) -> list:
    """Return the arguments that make `configs/<method>/minicity.py` tiny."""
    return ['--cfg-options', *(f'{key}={value}' for key, value in tiny_options(method).items())]
