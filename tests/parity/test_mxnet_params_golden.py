"""Our reader of `.params` files against files that MXNet wrote or reads."""

import numpy as np
import pytest
from golden import GOLDEN_DIR, golden_files, load, scalar

from mmuda.conversion import ParamsError, read_params

FOLDER = GOLDEN_DIR / 'cbst'


def expected(names) -> dict:
    data = load(FOLDER / 'toy_params_expected.npz')
    return {name: data[name.replace(':', '__')] for name in names}


def check(found: dict, wanted: dict) -> None:
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype and found[name].flags.writeable
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize('name', ['v2', 'v2_mxnet', 'v1', 'legacy', 'gpu_context', 'dtypes'])
def test_named(name):
    found = read_params(FOLDER / f'toy_{name}.params')
    data = load(FOLDER / 'toy_params_expected.npz')
    order = data['order_dtypes_file' if name == 'dtypes' else 'order'].tolist()
    check(found, expected(order))
    assert list(found) == order or name == 'v2_mxnet', 'MXNet itself writes in any order'


def test_nameless():
    data = load(FOLDER / 'toy_params_expected.npz')
    found = read_params(FOLDER / 'toy_nameless.params')
    assert list(found) == [str(i) for i in range(scalar(data, 'nameless_count'))]
    check(found, {str(i): array for i, array in enumerate(expected(data['order'].tolist()).values())})


def test_row_sparse():
    found = read_params(FOLDER / 'toy_row_sparse.params')
    (array,) = found.values()
    np.testing.assert_array_equal(array, load(FOLDER / 'toy_params_expected.npz')['sparse_dense'])


@pytest.mark.parametrize('path', golden_files('cbst', 'toy_params_malformed'))
def test_malformed(path, tmp_path):
    for name, content in load(path).items():
        (tmp_path / f'{name}.params').write_bytes(content.tobytes())
        with pytest.raises(ParamsError, match=rf'{name}.params, byte \d+: '):
            read_params(tmp_path / f'{name}.params')


@pytest.mark.parametrize('path', sorted(FOLDER.glob('toy_*.params')), ids=lambda path: path.stem)
def test_no_beginning_of_a_file_passes_for_it(path, tmp_path):
    content = path.read_bytes()
    cut = tmp_path / 'cut.params'
    for length in range(len(content)):
        cut.write_bytes(content[:length])
        with pytest.raises(ParamsError):
            read_params(cut)
