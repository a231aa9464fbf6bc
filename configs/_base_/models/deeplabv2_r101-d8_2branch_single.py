# The network of the released AdaptSegNet without its auxiliary level: one head, two of four branches summed.
_base_ = './deeplabv2_r101-d8_2branch.py'
model = dict(segmentor=dict(auxiliary_head=None))
