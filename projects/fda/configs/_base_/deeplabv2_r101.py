# DeepLabV2 with one level whose head adds all four branches, and probabilities that are enlarged. The released code has
# an initial file of its own, DeepLab_init.pth, with which init_cfg.checkpoint can be set; here it is AdaptSegNet's.
_base_ = '../../../../configs/_base_/models/deeplabv2_r101-d8_2branch_single.py'
model = dict(
    type='FDA', norm=2.9444, entropy_after=0, segmentor=dict(type='SoftEncoderDecoder', decode_head=dict(summed=None))
)
test_ensemble = dict(type='ProbabilityEnsemble', weights=[0.3333, 0.3333, 0.3334])
