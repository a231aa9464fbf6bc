"""Tests stand where the code stands, so that each can be found from the other."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent

BY_FAMILY = 'parity'
"""The folder of the numbers of the originals, which are stored by family of methods."""

OTHERS = {
    'checkpoints/test_hostile_checkpoints.py': 'files that were made to do harm, through every way to load one',
    'configs/test_config_runs.py': 'configs/: each one trains',
    'configs/test_config_stages.py': 'configs/: those of several stages',
    'configs/test_configs.py': 'configs/: each one builds',
    'configs/test_projects.py': 'projects/: each config builds and trains, and what a plug-in brings along',
    'conversion/test_convert_mit.py': 'conversion of MiT, and of DAFormer, HRDA and MIC',
    'configs/test_efficientnet.py': 'configs/: the network that an option exchanges',
    'datasets/pairs/test_target_only.py': 'pairs without a source, from the data set to the training',
    'engine/test_mmseg_apis.py': 'ways of mmseg to use a trained network',
    'faults/test_cases.py': 'situations from reports of users',
    'faults/test_config_fuzz.py': 'mistakes in configs, of which none is silent',
    'stages/test_kill.py': 'kill -9 in any kind of stage',
    'test_benchmarks.py': 'benchmarks/',
    'test_floors.py': 'which room imports which',
    'test_mirror.py': 'this file',
    'test_packaging.py': 'pyproject.toml and what an installation brings along',
    'tools/test_shell_scripts.py': 'tools/*.sh',
}
"""Tests of more than one module, or of none, and what they are about."""

FILES = sorted(path.relative_to(TESTS).as_posix() for path in TESTS.rglob('test_*.py'))


def modules_of(file: str) -> list[Path]:
    """Return the places where the module that a test file is about may be."""
    folder, name = Path(file).parent, Path(file).stem.removeprefix('test_')
    package = ROOT / 'mmuda' / folder
    places = [package / f'{name}.py', package / name / '__init__.py']
    if name == 'init':
        places.append(package / '__init__.py')
    if folder.parts[:1] == ('tools',):
        places.append(ROOT / folder / f'{name}.py')
    return places


@pytest.mark.parametrize('file', [file for file in FILES if not file.startswith(f'{BY_FAMILY}/')])
def test_a_test_file_has_the_name_of_a_module(file):
    found = [path for path in modules_of(file) if path.is_file()]
    assert bool(found) != (file in OTHERS), (
        f'tests/{file} is about none of {[str(path.relative_to(ROOT)) for path in modules_of(file)]}: '
        'move it to the place of its module, or say in OTHERS of this file what else it is about'
    )


def test_nothing_else_is_listed():
    assert set(OTHERS) <= set(FILES)


def test_the_families_are_flat():
    assert all(len(Path(file).parts) == 2 for file in FILES if file.startswith(f'{BY_FAMILY}/'))
