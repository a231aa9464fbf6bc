# The first stage of FADA alone.
_base_ = '../source_only/synthia2city_imagenet.py'
