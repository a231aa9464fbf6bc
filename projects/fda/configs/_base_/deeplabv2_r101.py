# DeepLabV2 with one level. The head adds all four branches, and predictions enlarge probabilities. The released code
# starts from its own file, DeepLab_init.pth; to use it, set init_cfg.checkpoint. Here the starting weights are
# AdaptSegNet's.
_base_ = '../../../../configs/_base_/models/deeplabv2_r101-d8_2branch_single.py'
model = dict(
    type='FDA', norm=2.9444, entropy_after=0, segmentor=dict(type='SoftEncoderDecoder', decode_head=dict(summed=None))
)
test_ensemble = dict(type='ProbabilityEnsemble', weights=[0.3333, 0.3333, 0.3334])
