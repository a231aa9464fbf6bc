"""What an installation brings along."""
import re
import subprocess
import sys
from pathlib import Path

from packaging.version import Version

import mmuda

ROOT = Path(__file__).parents[1]


def test_configs_and_tools_travel_with_the_package(tmp_path):
    subprocess.run([sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', str(tmp_path)], cwd=ROOT, check=True,
                   capture_output=True)
    mim = tmp_path / 'mmuda/.mim'
    for folder in ('configs', 'tools'):
        shipped = {path.relative_to(ROOT) for path in (ROOT / folder).rglob('*')
                   if path.is_file() and '__pycache__' not in path.parts}
        assert shipped == {path.relative_to(mim) for path in mim.rglob('*')
                           if path.is_file() and path.relative_to(mim).parts[0] == folder}
    assert (tmp_path / 'mmuda/models/adaptors/advent.py').is_file()


def test_there_is_one_version():
    found = [path for path in ROOT.glob('mmuda/**/*.py') if re.search(r'^__version__ = ', path.read_text(encoding='utf-8'), re.M)]
    assert found == [ROOT / 'mmuda/version.py'] and mmuda.__version__


def test_requirements_are_the_tested_range():
    from mmuda.compat import SUPPORTED
    text = (ROOT / 'requirements/runtime.txt').read_text()
    for lowest, limit, distribution in SUPPORTED.values():
        installed = re.search(rf'^{distribution}>=(\S+),<{limit}$', text, re.M).group(1)
        assert Version(lowest) <= Version(installed) < Version(limit)
