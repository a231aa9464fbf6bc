"""Choice of the resampling filter for an input and an output size."""

import pytest

from mmuda.resampling import auto_filter

LANCZOS, BICUBIC, BILINEAR = 'lanczos', 'bicubic', 'bilinear'


@pytest.mark.parametrize(
    'from_size, to_size, wanted',
    [
        ((10, 20), (9, 19), LANCZOS),
        ((10, 20), (11, 21), BICUBIC),
        ((10, 20), (9, 21), BILINEAR),
        ((10, 20), (10, 21), BILINEAR),
        ((10, 20), (10, 19), BILINEAR),
        ((10, 20), (10, 20), BILINEAR),
    ],
)
def test_auto_filter(from_size, to_size, wanted):
    assert auto_filter(from_size, to_size) == wanted
    assert auto_filter(from_size[::-1], to_size[::-1]) == wanted
