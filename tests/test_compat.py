"""Checks of the versions of other packages: an old one is an error, one newer than the tested ones a single warning."""

import subprocess
import sys
import warnings

import mmseg.version
import pytest
import torch.version

from mmuda.compat import TESTED, check_dependencies


def test_an_old_or_missing_package_is_an_error_with_the_remedy(monkeypatch):
    monkeypatch.setattr(mmseg.version, '__version__', '0.30.0')
    with pytest.raises(
        ImportError, match=r'mmseg 0.30.0 is too old. Install them with\s+pip install .*onedl-mmsegmentation>=1.2.2'
    ):
        check_dependencies()
    monkeypatch.setitem(sys.modules, 'mmseg.version', None)
    with pytest.raises(ImportError, match=r'mmseg cannot be imported'):
        check_dependencies()


@pytest.mark.parametrize('version', ['2.5.1', '2.6.0a0'])
def test_pytorch_that_reads_files_unsafely_is_an_error(version, monkeypatch):
    monkeypatch.setattr(torch.version, '__version__', version)
    with pytest.raises(ImportError, match=rf'(?s)torch {version} is too old.*"torch>=2.6"'):
        check_dependencies()


def test_a_newer_version_is_one_warning_with_the_tested_range(monkeypatch):
    monkeypatch.setattr(torch.version, '__version__', '9.1.2+cu999')
    newest = TESTED['torch'].newest
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter('always')
        check_dependencies()
    assert len(told) == 1
    assert f'torch 9.1.2+cu999 (tested: 2.6 to {newest})' in str(told[0].message)
    assert f'pip install "torch=={newest}.*"' in str(told[0].message)


@pytest.mark.parametrize('version', ['2.6.0', f'{TESTED["torch"].newest}.7+cpu'])
def test_tested_versions_are_silent(version, monkeypatch):
    monkeypatch.setattr(torch.version, '__version__', version)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        check_dependencies()


def test_the_newest_pytorch_never_keeps_mmuda_from_being_imported():
    code = "import torch.version; torch.version.__version__ = '9.0.0'; import mmuda; print('imported')"
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert out.stdout == 'imported\n' and out.stderr.count('was not tested with') == 1
