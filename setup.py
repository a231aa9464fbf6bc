"""Packaging of mmuda: configs and tools travel in the wheel as `mmuda/.mim`, as OpenMMLab packages do."""
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def version() -> str:
    return re.search(r"__version__ = '(.+)'", (ROOT / 'mmuda/version.py').read_text(encoding='utf-8')).group(1)


def requirements(name: str) -> list:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line for line in lines if line and not line.startswith('#')]


class BuildWithConfigs(build_py):
    """Copies configs and tools into the built package; the checkout itself is not touched."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for folder in ('configs', 'tools'):
            target = Path(self.build_lib) / 'mmuda' / '.mim' / folder
            shutil.rmtree(target, ignore_errors=True)  # a stale build must not bring deleted files back
            shutil.copytree(ROOT / folder, target, ignore=shutil.ignore_patterns('__pycache__'))


setup(
    name='mmuda',
    version=version(),
    description='Unsupervised domain adaptation of semantic segmentation on MMSegmentation',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mmuda', 'mmuda.*']),
    install_requires=requirements('runtime'),
    extras_require=dict(tests=requirements('tests')),
    cmdclass=dict(build_py=BuildWithConfigs),
    zip_safe=False,
)
