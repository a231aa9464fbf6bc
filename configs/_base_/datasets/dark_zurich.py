# The nights of Dark Zurich, for configs that take them in place of ACDC: its files have the same names.
import os

dark_zurich_root = os.environ.get('DARK_ZURICH_ROOT', 'data/dark_zurich')
dark_zurich_target = dict(type='RawDarkZurichDataset', data_root=dark_zurich_root)
dark_zurich_test = dark_zurich_target
