"""Build of the wheel: configs, tools and projects are copied into it as `mmuda/.mim`, as in OpenMMLab packages."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithConfigs(build_py):
    """Build command that copies configs, tools and projects into the built package, and does not touch the checkout."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for folder in ('configs', 'tools', 'projects'):
            target = Path(self.build_lib) / 'mmuda' / '.mim' / folder
            shutil.rmtree(target, ignore_errors=True)  # otherwise an old build would bring deleted files back
            shutil.copytree(ROOT / folder, target, ignore=shutil.ignore_patterns('__pycache__'))


setup(cmdclass=dict(build_py=BuildWithConfigs))
