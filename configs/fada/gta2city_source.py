# The first stage of FADA alone.
_base_ = '../source_only/gta2city_imagenet.py'
