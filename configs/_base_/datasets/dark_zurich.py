# The nights of Dark Zurich, for configs that use them in place of ACDC. Their files have names of the same form.
import os

dark_zurich_root = os.environ.get('DARK_ZURICH_ROOT', 'data/dark_zurich')
dark_zurich_target = dict(type='RawDarkZurichDataset', data_root=dark_zurich_root)
dark_zurich_test = dark_zurich_target
