# One network of FDA, with the smallest of its three windows, SYNTHIA to Cityscapes.
_base_ = ['./_base_/deeplabv2_r101.py', './_base_/synthia2city.py', './_base_/poly_150k.py']
custom_imports = dict(imports=['mmuda', 'projects.fda'], allow_failed_imports=False)
