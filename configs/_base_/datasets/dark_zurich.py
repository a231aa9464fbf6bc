# The nights of Dark Zurich, for configs that take them in place of ACDC: its files have the same names.
import os

dark_zurich_root = os.environ.get('DARK_ZURICH_ROOT', 'data/dark_zurich')
dark_zurich_target = dict(data_root=dark_zurich_root, data_prefix=dict(img_path='rgb_anon/train/night'))
dark_zurich_test = dict(
    data_root=dark_zurich_root, data_prefix=dict(img_path='rgb_anon/val/night', seg_map_path='gt/val/night')
)
