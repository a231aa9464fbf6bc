"""Classes so small that crops are centred on them."""

import numpy as np


def mining_classes(sizes: np.ndarray, threshold: float = 0.001, number: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Classes that small-class patch mining looks for (CBST, Zou et al., ECCV 2018, as the authors' code).

    Args:
        sizes: (C,), such as the pixels of each class.
        threshold: Share of all pixels below which a class has priority.
        number: How many classes come next.

    Returns:
        Train ids with priority, ascending, among them classes of size 0; and the ``number`` smallest classes, the
        smallest first, lower ids first if equal (there the order of the authors' code depends on NumPy's version).

    Raises:
        ValueError: If all sizes are 0.
    """
    sizes = np.asarray(sizes, dtype=np.float64)
    if not sizes.sum() > 0:
        raise ValueError(f'sizes={sizes.tolist()}: no class has a pixel, so that none can be called small')
    share = sizes / sizes.sum()
    return np.flatnonzero(share < threshold), np.argsort(share, kind='stable')[:number]
