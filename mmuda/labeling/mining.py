"""Classes so small that crops are centred on them."""

import numpy as np


def mining_classes(sizes: np.ndarray, threshold: float = 0.001, number: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes that small-class patch mining looks for (CBST, Zou et al., ECCV 2018, as the authors' code).

    Args:
        sizes: (C,) size of each class, such as its number of pixels.
        threshold: Share of all pixels below which a class has priority.
        number: Number of smallest classes to return.

    Returns:
        Two int64 arrays of train ids. The first holds the classes with priority, including classes of size 0, in
        ascending order. The second holds the ``number`` smallest classes, the smallest first, with or without priority.
        Of equal classes the lower id comes first; in the authors' code their order depends on the version of NumPy.

    Raises:
        ValueError: If all sizes are 0.
    """
    sizes = np.asarray(sizes, dtype=np.float64)
    if not sizes.sum() > 0:
        raise ValueError(f'sizes={sizes.tolist()}: no class has a pixel, so that none can be called small')
    share = sizes / sizes.sum()
    return np.flatnonzero(share < threshold), np.argsort(share, kind='stable')[:number]
