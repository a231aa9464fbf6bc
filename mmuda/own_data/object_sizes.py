"""Comparison of the image sizes of two domains, in which objects may therefore have different sizes."""

import numpy as np

from .plan import Plan
from .survey import Survey

LARGEST_RATIO = 2.5
"""Ratio of the median image areas above which objects may differ too much in size."""


def about_object_sizes(source: Survey, target: Survey, plan: Plan) -> list[str]:
    """Return a warning and its remedy as lines if the images of one domain are much larger; else no lines.

    Args:
        source: Sizes of the source images.
        target: Sizes of the target images.
        plan: The plan, which scales large images.
    """
    sides = dict(source=_scaled(source, plan.source_length), target=_scaled(target, plan.target_length))
    areas = {name: float(np.median(sizes.prod(axis=1))) for name, sizes in sides.items()}
    large, small = sorted(areas, key=lambda name: -areas[name])
    ratio = areas[large] / areas[small]
    if ratio <= LARGEST_RATIO:
        return []
    height, width = plan.crop
    sizes = sides[large]  # crops fit into the images that the remedy gives
    factor = max(ratio**-0.5, float(np.median(width / sizes[:, 0])), float(np.median(height / sizes[:, 1])))
    length = round(float(np.median(sizes.max(axis=1))) * min(factor, 1.0))
    if large == 'source':
        place, earlier = 'after LoadDomainAnnotations in source_pipeline', plan.source_length
    else:
        place, earlier = 'after the line that loads images in target_pipeline and test_pipeline', plan.target_length
    return [
        f'sizes   WARNING: images of the {large} have {ratio:.1f} times the area of those of the {small}: objects may '
        f'be {ratio**0.5:.1f} times as large in the {large}: resize one domain in pair.py so that objects have similar '
        f'sizes. For the {large}, put this line {place}{", in place of the resize there" if earlier else ""}:',
        f"            dict(type='Resize', scale=({length}, {length}), keep_ratio=True, backend='pillow', "
        "interpolation='bicubic'),",
    ]


def _scaled(domain: Survey, length: int | None) -> np.ndarray:
    """Return the sizes (n, 2) of images after the resize of the plan, which keeps their ratio."""
    if length is None:
        return domain.sizes.astype(float)
    return domain.sizes * (length / domain.sizes.max(axis=1, keepdims=True))
