"""Copy configs, tools and projects into the wheel as `mmuda/.mim`, as OpenMMLab packages do."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithConfigs(build_py):
    """Copy configs, tools and projects into the built package; the checkout itself is not touched."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for folder in ('configs', 'tools', 'projects'):
            target = Path(self.build_lib) / 'mmuda' / '.mim' / folder
            shutil.rmtree(target, ignore_errors=True)  # a stale build must not bring deleted files back
            shutil.copytree(ROOT / folder, target, ignore=shutil.ignore_patterns('__pycache__'))


setup(cmdclass=dict(build_py=BuildWithConfigs))
