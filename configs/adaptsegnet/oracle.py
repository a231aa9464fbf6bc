# AdaptSegNet's oracle: its network with one level, trained on the labels of the Cityscapes training split, without
# adaptation. Image size and length of the training are those of the other configs here, because the authors' values are
# not in their code.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch_single.py',
    '../_base_/datasets/city2city.py',
    '../_base_/schedules/poly_250k.py',
]
model = dict(type='SourceOnly')
train_cfg = dict(max_iters=150000)
