# The first stage of FADA alone.
_base_ = '../source_only/synthia2city_vgg16.py'
