# CBST, GTA5 to Cityscapes (Zou et al., ECCV 2018) on ResNet-38: source training, then six rounds.
_base_ = ['./gta2city_source.py', '../_base_/stages/cbst.py']
runner_type = 'StagedRunner'
