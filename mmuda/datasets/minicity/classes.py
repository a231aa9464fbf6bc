"""Which raw ids MiniCity writes: those of the Cityscapes and GTA5 label files."""

RAW_IDS = {
    'unlabeled': 0,
    'ego vehicle': 1,
    'static': 4,
    'road': 7,
    'sidewalk': 8,
    'building': 11,
    'wall': 12,
    'fence': 13,
    'pole': 17,
    'traffic light': 19,
    'traffic sign': 20,
    'vegetation': 21,
    'terrain': 22,
    'sky': 23,
    'person': 24,
    'rider': 25,
    'car': 26,
    'truck': 27,
    'bus': 28,
    'train': 31,
    'motorcycle': 32,
    'bicycle': 33,
}
"""Raw id by name. The first three are void: no train id belongs to them."""

VOID_NAMES = ('unlabeled', 'ego vehicle', 'static')
"""Names that evaluation and training ignore."""
