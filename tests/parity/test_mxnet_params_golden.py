"""Our reader of `.params` files, with files that MXNet has written or can read."""

import numpy as np
import pytest
from golden import GOLDEN_DIR, golden_files, load, scalar

from mmuda.conversion import ParamsError, read_params

FOLDER = GOLDEN_DIR / 'cbst'


def files(*kinds: str) -> list:
    """Return parameters for the files `toy_*.params` of these kinds; by default, for all other files."""
    found = [
        path
        for path in sorted(FOLDER.glob('toy_*.params'))
        if any(kind in path.stem for kind in kinds or ('nameless', 'row_sparse')) == bool(kinds)
    ]
    return [pytest.param(path, id=path.stem) for path in found or [FOLDER / 'toy_missing.params']]


def expected(names) -> dict:
    data = load(FOLDER / 'toy_params_expected.npz')
    return {name: data[name.replace(':', '__')] for name in names}


def check(found: dict, wanted: dict) -> None:
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype and found[name].flags.writeable
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize('path', files())
def test_named(path):
    found = read_params(path)
    data = load(FOLDER / 'toy_params_expected.npz')
    order = data['order_dtypes_file' if 'dtypes' in path.stem else 'order'].tolist()
    check(found, expected(order))
    assert list(found) == order or 'mxnet' in path.stem, (
        'the order must be kept, except in files that MXNet has written'
    )


@pytest.mark.parametrize('path', files('nameless'))
def test_nameless(path):
    data = load(FOLDER / 'toy_params_expected.npz')
    found = read_params(path)
    assert list(found) == [str(i) for i in range(scalar(data, 'nameless_count'))]
    check(found, {str(i): array for i, array in enumerate(expected(data['order'].tolist()).values())})


@pytest.mark.parametrize('path', files('row_sparse'))
def test_row_sparse(path):
    found = read_params(path)
    (array,) = found.values()
    np.testing.assert_array_equal(array, load(FOLDER / 'toy_params_expected.npz')['sparse_dense'])


@pytest.mark.parametrize('path', golden_files('cbst', 'toy_params_malformed'))
def test_malformed(path, tmp_path):
    contents = load(path)
    assert contents
    for name, content in contents.items():
        (tmp_path / f'{name}.params').write_bytes(content.tobytes())
        with pytest.raises(ParamsError, match=rf'{name}.params, byte \d+: '):
            read_params(tmp_path / f'{name}.params')


@pytest.mark.parametrize('path', [*files(), *files('nameless', 'row_sparse')])
def test_no_beginning_of_a_file_passes_for_it(path, tmp_path):
    content = path.read_bytes()
    cut = tmp_path / 'cut.params'
    for length in range(len(content)):
        cut.write_bytes(content[:length])
        with pytest.raises(ParamsError):
            read_params(cut)
