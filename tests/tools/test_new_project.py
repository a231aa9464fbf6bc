"""Tests of `tools/new_project.py`: a generated plug-in passes its own tests."""

import os
from pathlib import Path

import pytest
from commands import TOOLS
from preloaded import run_script, start


def run(folder: Path, *command) -> tuple[int, str]:
    """Run a Python file in a folder; return its exit status and its output."""
    log = folder / 'log.txt'
    log.unlink(missing_ok=True)
    process = start(run_script, [str(part) for part in command], str(folder), log=log, env=os.environ)
    process.join()
    return process.exitcode, log.read_text()


def test_a_generated_project_passes_its_own_tests(tmp_path):
    code, printed = run(tmp_path, TOOLS / 'new_project.py', 'fresh_method')
    assert code == 0, printed
    assert 'projects/fresh_method/configs/minicity.py' in printed
    (tmp_path / 'pytest.ini').write_text('[pytest]\n')
    runner = Path(pytest.__file__).with_name('__main__.py')
    code, printed = run(tmp_path, runner, 'projects/fresh_method/tests', '-p', 'no:cacheprovider')
    assert code == 0 and '2 passed' in printed, printed[-5000:]


def test_a_bad_name_is_one_line(tmp_path):
    code, printed = run(tmp_path, TOOLS / 'new_project.py', 'My-Method')
    assert code == 1 and printed.startswith("error: 'My-Method' cannot be the name of a project")
