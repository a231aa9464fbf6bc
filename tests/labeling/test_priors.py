"""Spatial priors: reading, writing, estimating and resizing."""

import tracemalloc

import numpy as np
import pytest
from scipy.io import savemat

from mmuda.labeling import estimate_prior, load_prior, resize_prior, save_prior


def some_prior(shape=(3, 8, 12), dtype=np.float32) -> np.ndarray:
    prior = np.random.default_rng(0).random(shape)
    prior[1] = 0
    return (prior / shape[1] / shape[2]).astype(dtype)


def write(path, prior) -> None:
    if path.suffix == '.mat':
        savemat(path, dict(prior_array=prior, other=np.eye(2)))
    elif path.suffix == '.npy':
        np.save(path, prior)
    else:
        np.savez(path, prior=prior)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('suffix', ['.mat', '.npz', '.npy'])
def test_load(tmp_path, suffix, dtype):
    prior = some_prior(dtype=dtype)
    write(tmp_path / f'prior{suffix}', prior)
    found = load_prior(str(tmp_path / f'prior{suffix}'))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, prior.astype(np.float32))


def test_save(tmp_path):
    path = tmp_path / 'new' / 'prior.npz'
    save_prior(path, some_prior(dtype=np.float64))
    with np.load(path, allow_pickle=False) as archive:
        assert archive.files == ['prior'] and archive['prior'].dtype == np.float32
    np.testing.assert_array_equal(load_prior(path), some_prior())
    assert [file.name for file in path.parent.iterdir()] == ['prior.npz']
    with pytest.raises(ValueError, match='prior.mat: a prior is saved as .npz'):
        save_prior(tmp_path / 'prior.mat', some_prior())


@pytest.mark.parametrize(
    'prior, says',
    [
        (some_prior()[0], r'\(C, H, W\), but this is float32 \(8, 12\)'),
        (some_prior().astype(str), 'array of numbers .* but this is <U'),
        (np.full((2, 3, 4), np.nan), 'must be finite.* nan'),
        (np.full((2, 3, 4), np.inf), 'must be finite.* inf'),
        (-some_prior(), 'must be finite, at least 0'),
        (np.zeros((2, 3, 4)), 'not all 0'),
    ],
)
@pytest.mark.parametrize('suffix', ['.mat', '.npz', '.npy'])
def test_values_that_are_no_prior(tmp_path, suffix, prior, says):
    path = tmp_path / f'prior{suffix}'
    write(path, prior)
    with pytest.raises(ValueError, match=rf'prior\{suffix}: .*{says}'):
        load_prior(path)


def test_files_that_are_no_prior(tmp_path):
    hdf5 = b'MATLAB 7.3 MAT-file'.ljust(116) + bytes(8) + b'\x00\x02IM' + b'\x89HDF\r\n\x1a\n'.ljust(400)
    savemat(tmp_path / 'variables.mat', dict(frequency=np.eye(3)))
    np.savez(tmp_path / 'names.npz', frequency=np.eye(3))
    np.save(tmp_path / 'objects.npy', np.array([dict()]), allow_pickle=True)
    np.savez(tmp_path / 'objects.npz', prior=np.array([dict()]))
    for name, content, says in [
        ('hdf5.mat', hdf5, "HDF5 file .MATLAB 7.3.: in MATLAB save it with save.FILE, 'prior_array', '-v7'"),
        ('variables.mat', None, 'frequency.*no variable "prior_array"'),
        ('names.npz', None, 'frequency.*no array "prior"'),
        ('objects.npy', None, 'allow_pickle=False'),
        ('objects.npz', None, 'allow_pickle=False'),
        ('text.mat', b'no MATLAB file at all' * 20, 'not a prior'),
        ('text.npz', b'no archive', 'not a prior'),
        ('text.npy', b'no array', 'not a prior'),
        ('short.mat', b'', 'not a prior'),
        ('empty.npy', b'', 'not a prior'),
        ('prior.h5', b'', 'is one of .npz, .npy, .mat'),
    ]:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf'{name}: .*{says}'):
            load_prior(tmp_path / name)
    for suffix in ('.mat', '.npz', '.npy'):
        with pytest.raises(FileNotFoundError, match=f'missing{suffix}'):
            load_prior(tmp_path / f'missing{suffix}')


@pytest.mark.parametrize('suffix', ['.mat', '.npz', '.npy'])
def test_damaged_files(tmp_path, suffix):
    path = tmp_path / f'prior{suffix}'
    write(path, some_prior())
    content = path.read_bytes()
    for length in range(0, len(content) - 8, 97):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=rf'prior\{suffix}: not a prior'):
            load_prior(path)


def test_estimate_without_smoothing_is_the_frequency():
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 3, 255], (9, 10, 16)).astype(np.uint8)
    prior = estimate_prior(iter(labels), 4, (10, 16), kernel=1)
    assert prior.dtype == np.float32 and prior.shape == (4, 10, 16)
    for c in (0, 1, 3):
        np.testing.assert_allclose(prior[c], (labels == c).sum(0) / (labels == c).sum(), rtol=1e-6)
    assert not prior[2].any()


@pytest.mark.parametrize('kernel', [9, 10])
def test_smoothing_keeps_the_place_and_spreads_it(kernel):
    label = np.full((41, 61), 255, np.uint8)
    label[20, 30] = 0
    label[:, 0] = 1
    prior = estimate_prior([label], 2, (41, 61), kernel)
    np.testing.assert_allclose(prior.sum((1, 2)), 1, rtol=1e-5)
    rows, columns = np.nonzero(prior[0])
    reach = kernel // 2
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20 - reach, 20 + reach, 30 - reach, 30 + reach)
    np.testing.assert_allclose(prior[0], prior[0][::-1, ::-1], rtol=1e-5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (kernel / 6)) ** 2)
    np.testing.assert_allclose(prior[0, 20, 30 - reach : 31 + reach] / prior[0, 20, 30], weights, rtol=1e-4)
    # The prior of a class along the border does not decrease towards the corners.
    np.testing.assert_allclose(prior[1, :, 0], prior[1, 0, 0], rtol=1e-5)


def test_labels_of_any_size():
    top_left = np.ones((40, 60), np.uint8)
    top_left[:20, :30] = 0
    prior = estimate_prior([top_left, top_left[::2, ::2], np.repeat(top_left, 3, 0)], 2, (20, 30), kernel=1)
    expected = np.zeros((20, 30), bool)
    expected[:10, :15] = True
    np.testing.assert_allclose(prior[0], expected / 150, rtol=1e-6)
    np.testing.assert_allclose(prior[1], ~expected / 450, rtol=1e-6)


def test_kernel_of_the_paper_on_small_labels():
    prior = estimate_prior([np.zeros((6, 8), np.uint8)], 1, (6, 8))
    np.testing.assert_allclose(prior, 1 / 48, rtol=1e-4)


def test_kernel_without_pixels():
    with pytest.raises(ValueError, match='kernel=0: must be at least 1'):
        estimate_prior([np.zeros((4, 5), np.uint8)], 1, (4, 5), kernel=0)


def test_memory_does_not_depend_on_labels():
    def peak(number: int) -> int:
        label = np.random.default_rng(0).integers(0, 5, (120, 160)).astype(np.uint8)
        tracemalloc.start()
        estimate_prior((label for _ in range(number)), 5, (120, 160))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(1)
    assert peak(40) < peak(2) + 50_000


@pytest.mark.parametrize(
    'labels, says',
    [
        ([], 'no label has a class'),
        ([np.full((4, 5), 255, np.uint8)], 'no label has a class'),
        ([np.zeros((4, 5), np.uint8), np.full((4, 5), 3, np.uint8)], r'label 1 has class 3, expected 0..2 or 255'),
    ],
)
def test_labels_that_make_no_prior(labels, says):
    with pytest.raises(ValueError, match=says):
        estimate_prior(labels, 3, (4, 5))


@pytest.mark.parametrize('size', [(8, 12), (16, 24), (5, 7), (9, 30)])
def test_resize_keeps_the_sums(size):
    prior = some_prior()
    found = resize_prior(prior, size)
    assert found.shape == (3, *size) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum((1, 2)), prior.sum((1, 2)), rtol=1e-5)


def test_resize_is_bilinear():
    ramp = np.linspace(0, 1, 12, dtype=np.float32)[None, None].repeat(8, 1)
    found = resize_prior(ramp, (8, 24))[0, 3]
    np.testing.assert_allclose(np.diff(found)[1:-1], (found[-2] - found[1]) / 21, rtol=1e-4)
