# HRDA on DeepLabV2: the attention is a second head of the same kind. The released code draws crops at multiples of 8
# pixels, half of which are not aligned with the cells of the context. divisor=None is the clean choice.
_base_ = '../../../../configs/_base_/models/deeplabv2_r101v1c-d8_2branch.py'
head = _base_.model.segmentor.decode_head
model = dict(
    teacher=dict(mode='sliding'),
    loss_weights=dict(seg_main=0.9, seg_detail=0.1, mix_main=0.9, mix_detail=0.1),
    segmentor=dict(
        type='HRDAEncoderDecoder',
        detail_size=(512, 512),
        divisor=8,
        decode_head=dict(_delete_=True, type='HRDAHead', head=head, scale_attention=head, stride=8),
        test_cfg=dict(_delete_=True, mode='slide', crop_size=(1024, 1024), stride=(512, 512)),
    ),
)
