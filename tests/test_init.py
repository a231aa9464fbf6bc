"""Importing mmuda registers everything and prints nothing."""

import subprocess
import sys


def test_importing_mmuda_is_quiet_and_registers():
    code = (
        'import mmuda; from mmseg.registry import MODELS, DATASETS, METRICS, HOOKS; '
        'assert "ADVENT" in MODELS and "GTA5Dataset" in DATASETS and "DomainIoUMetric" in METRICS '
        'and "RandomStateHook" in HOOKS; import sys; '
        'assert not {"mmuda.prediction", "mmuda.deployment"} & set(sys.modules) and callable(mmuda.predict)'
    )
    out = subprocess.run(
        [sys.executable, '-W', 'ignore::DeprecationWarning', '-c', code], capture_output=True, text=True
    )
    assert out.returncode == 0, out.stderr
    assert out.stdout == '' and out.stderr == ''
