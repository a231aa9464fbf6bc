# The first stage of FADA alone.
_base_ = '../source_only/city2crosscity_imagenet.py'
