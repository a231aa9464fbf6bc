# HRDA on MiT-B5: DAFormer's head for both resolutions, and a head without dilated convolutions for the scale attention.
_base_ = '../../../../configs/_base_/models/daformer_mit-b5.py'
head = _base_.model.segmentor.decode_head
model = dict(
    teacher=dict(mode='sliding'),
    loss_weights=dict(seg_main=0.9, seg_detail=0.1, mix_main=0.9, mix_detail=0.1),
    segmentor=dict(
        type='HRDAEncoderDecoder',
        detail_size=(512, 512),
        decode_head=dict(
            _delete_=True, type='HRDAHead', head=head, scale_attention=dict(head, fusion='conv'), stride=4
        ),
        # Outer windows. Each contains its own windows of details.
        test_cfg=dict(_delete_=True, mode='slide', crop_size=(1024, 1024), stride=(512, 512)),
    ),
)
