# IntraDA, GTA5 to Cityscapes (Pan et al., CVPR 2020).
_base_ = ['../advent/gta2city.py', '../_base_/stages/intrada.py']
runner_type = 'StagedRunner'
