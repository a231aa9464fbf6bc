# One network of FDA, FCN-8s on VGG-16, with the smallest of its three windows, SYNTHIA to Cityscapes.
_base_ = ['./_base_/fcn8s_vgg16.py', './_base_/synthia2city.py', './_base_/adam_150k.py']
custom_imports = dict(imports=['mmuda', 'projects.fda'], allow_failed_imports=False)
