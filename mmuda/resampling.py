"""Which of Pillow's filters CBST resizes with."""

from collections.abc import Sequence


def auto_filter(from_size: Sequence[int], to_size: Sequence[int]) -> str:
    """Return CBST's filter for a change of size: Lanczos if both sides shrink, bicubic if both grow, else bilinear.

    Args:
        from_size: Two sides, in any order.
        to_size: The same two sides after resizing.

    Returns:
        ``'lanczos'``, ``'bicubic'`` or ``'bilinear'``.
    """
    pairs = list(zip(from_size, to_size, strict=True))
    if all(new < old for old, new in pairs):
        return 'lanczos'
    return 'bicubic' if all(new > old for old, new in pairs) else 'bilinear'
