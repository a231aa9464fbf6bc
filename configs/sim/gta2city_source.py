# Source-only training of SIM's network (Wang et al., CVPR 2020): one level, two branches. It tests the released networks.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch_single.py', '../_base_/datasets/gta2city.py',
    '../_base_/schedules/poly_250k.py'
]
model = dict(type='SourceOnly')
# Mixed precision saved the originals from listing weights twice: every weight makes one step.
optim_wrapper = dict(segmentor=dict(optimizer=dict(type='SGD'), repeats=None))
train_cfg = dict(max_iters=200000)
