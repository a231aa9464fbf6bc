"""Choice of the filter of Pillow with which CBST resizes."""

from collections.abc import Sequence


def auto_filter(from_size: Sequence[int], to_size: Sequence[int]) -> str:
    """Return CBST's filter for a change of size: Lanczos if both lengths shrink, bicubic if both grow, else bilinear.

    Args:
        from_size: Height and width, in any order.
        to_size: Height and width after resizing, in the same order.

    Returns:
        ``'lanczos'``, ``'bicubic'`` or ``'bilinear'``.
    """
    pairs = list(zip(from_size, to_size, strict=True))
    if all(new < old for old, new in pairs):
        return 'lanczos'
    return 'bicubic' if all(new > old for old, new in pairs) else 'bilinear'
