"""Image files that are read by rows."""

import numpy as np
import pytest
from predictions import network_config

from mmuda.prediction.preparation import Preparation

tifffile = pytest.importorskip('tifffile')


@pytest.mark.parametrize('kind', ['bytes', 'bands', 'array'])
def test_rows_are_those_of_the_file(tmp_path, kind):
    cfg = network_config()
    load = cfg.test_dataloader.dataset.pipeline[0]
    if kind != 'bytes':
        load.update(type='LoadDomainImage', bands=(4, 0, 2), value_range=(0, 4000))
    values = np.random.default_rng(0).integers(
        0, 256 if kind == 'bytes' else 4000, (45, 70, 3 if kind == 'bytes' else 5)
    )
    path = str(tmp_path / ('x.npy' if kind == 'array' else 'x.tif'))
    if kind == 'array':
        np.save(path, values.astype(np.uint16))
    elif kind == 'bands':
        tifffile.imwrite(path, values.astype(np.uint16), tile=(16, 32), photometric='minisblack', planarconfig='contig')
    else:
        tifffile.imwrite(path, values.astype(np.uint8), rowsperstrip=7, photometric='rgb')
    preparation = Preparation(cfg)
    source, whole = preparation.open(path), preparation.read(path)
    assert source.size == (45, 70)
    for start, stop in ((0, 45), (3, 20), (40, 45), (16, 17)):
        assert np.array_equal(source.rows(start, stop), whole[start:stop])


def test_others_are_read_as_a_whole(tmp_path):
    (tmp_path / 'x.png').touch()
    assert Preparation(network_config()).open(str(tmp_path / 'x.png')) is None
