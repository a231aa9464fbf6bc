"""The shipped configs and those of plug-ins have no findings."""

import pytest
from shipped import DIFFERENT, PROJECTS, ids, reduced

from mmuda.checks import check_config


@pytest.mark.parametrize(**ids([*DIFFERENT, *PROJECTS]))
def test_a_shipped_config_passes(path, tmp_path, data_roots):
    cfg = reduced(path, tmp_path, data_roots)
    assert [str(finding) for finding in check_config(cfg) if finding.level == 'error'] == []
