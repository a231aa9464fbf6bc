"""Configs shipped with mmseg, one of each family, have no errors."""

import os
from pathlib import Path

import mmseg
import pytest

from mmuda.checks import check_config
from mmuda.checks.data import datasets_of
from mmuda.engine.launch import load_config

CONFIGS = Path(mmseg.__file__).parent / '.mim/configs'
FAMILIES = sorted(path.name for path in CONFIGS.iterdir() if path.name != '_base_')

NEEDS = {
    **dict.fromkeys(('convnext', 'poolformer'), 'mmpretrain'),
    **dict.fromkeys(('mask2former', 'maskformer'), 'mmdet'),
    **dict.fromkeys(('ccnet', 'point_rend', 'psanet', 'san'), 'mmcv._ext'),
    'dsdl': 'dsdl',
    'vpd': 'albumentations',
}
"""Packages that the training of a family needs."""

QUICK = ('cgnet', 'dpt', 'fastscnn', 'knet', 'mae', 'mobilenet_v3', 'segformer', 'segmenter', 'segnext', 'stdc', 'unet')
"""Families that are always tested; the others are slow. They cover every kind of backbone, head, loss and schedule."""


@pytest.mark.parametrize(
    'family', [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES]
)
def test_a_config_of_mmseg_passes(family, tmp_path, monkeypatch):
    if family in NEEDS:
        pytest.importorskip(NEEDS[family])
    monkeypatch.chdir(tmp_path)
    cfg = load_config(next(iter(sorted((CONFIGS / family).glob('*.py')))))
    before = str(cfg)
    for _, node in datasets_of(cfg):
        os.makedirs(
            os.path.join(node.get('data_root') or '', node.get('data_prefix', {}).get('img_path', '')) or '.',
            exist_ok=True,
        )
    assert [str(finding) for finding in check_config(cfg) if finding.level == 'error'] == []
    assert str(cfg) == before
