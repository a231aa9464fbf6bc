"""Contents of an installation."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import mmuda

ROOT = Path(__file__).parents[1]


def test_configs_and_tools_travel_with_the_package(tmp_path):
    subprocess.run(
        [sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    mim = tmp_path / 'mmuda/.mim'
    for folder in ('configs', 'tools', 'projects'):
        shipped = {
            path.relative_to(ROOT)
            for path in (ROOT / folder).rglob('*')
            if path.is_file() and '__pycache__' not in path.parts
        }
        assert shipped == {
            path.relative_to(mim)
            for path in mim.rglob('*')
            if path.is_file() and path.relative_to(mim).parts[0] == folder
        }
    assert (tmp_path / 'mmuda/models/adaptors/advent.py').is_file()
    templates = 'mmuda/visualization/templates'
    assert sorted(path.name for path in (tmp_path / templates).iterdir()) == [
        'chart.mplstyle',
        'gallery.html.jinja',
        'report.css',
        'report.html.jinja',
    ]
    for path in (tmp_path / templates).iterdir():
        assert path.read_bytes() == (ROOT / templates / path.name).read_bytes()


def test_there_is_one_version():
    found = [
        path
        for path in ROOT.glob('mmuda/**/*.py')
        if re.search(r'^__version__ = ', path.read_text(encoding='utf-8'), re.M)
    ]
    assert found == [ROOT / 'mmuda/version.py'] and mmuda.__version__


def test_the_papers_of_the_project_name_the_version():
    cited = yaml.safe_load((ROOT / 'CITATION.cff').read_text('utf-8'))
    assert cited['version'] == mmuda.__version__ and cited['license'] == 'Apache-2.0'
    newest = re.search(r'^## (\S+?),? ', (ROOT / 'CHANGELOG.md').read_text('utf-8'), re.M)
    assert newest and newest[1] == mmuda.__version__


def test_the_image_is_made_from_the_same_requirements():
    text = (ROOT / 'Dockerfile').read_text('utf-8')
    named = re.findall(r'requirements/\w+\.txt', text)
    assert {'requirements/tested.txt', 'requirements/runtime.txt', 'requirements/tests.txt'} <= set(named)
    assert all((ROOT / name).is_file() for name in named)


def test_requirements_admit_the_tested_versions_and_set_no_upper_bound():
    from mmuda.compat import TESTED

    runtime, pinned = (read_requirements(name) for name in ('runtime', 'tested'))
    for lowest, newest, distribution in TESTED.values():
        assert [bound.operator for bound in runtime[distribution].specifier] == ['>=']
        version = next(iter(pinned[distribution].specifier)).version
        assert version in runtime[distribution].specifier
        assert Version(lowest) <= Version(version) < Version(f'{newest}.99')


def test_everything_that_is_imported_is_declared():
    declared = {name.replace('-', '_').lower() for name in read_requirements('runtime')}
    names = {'cv2': 'opencv_python', 'PIL': 'pillow', 'mmengine': 'onedl_mmengine', 'mmcv': 'onedl_mmcv',
             'mmseg': 'onedl_mmsegmentation', 'yaml': 'pyyaml'}  # fmt: skip
    imported = set()
    for path in (ROOT / 'mmuda').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split('.')[0])
            elif isinstance(node, ast.Import):
                imported.update(alias.name.split('.')[0] for alias in node.names)
    foreign = {names.get(name, name).lower() for name in imported - set(sys.stdlib_module_names) - {'mmuda'}}
    options = {**read_requirements('safetensors'), **read_requirements('images'), **read_requirements('deploy')}
    by_option = {name.replace('-', '_').lower() for name in options} - {'onnxscript'}  # PyTorch imports it
    assert foreign == declared | by_option


def read_requirements(name: str) -> dict:
    lines = (ROOT / f'requirements/{name}.txt').read_text(encoding='utf-8').splitlines()
    found = [Requirement(line.split('#')[0]) for line in lines if line.split('#')[0].strip()]
    return {one.name: one for one in found if one.marker is None or one.marker.evaluate()}
