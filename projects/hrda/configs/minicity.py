# HRDA on MiniCity with DACS, from random weights. Context images have half the height and width, and details are crops
# of half the height and width.
_base_ = '../../../configs/dacs/minicity.py'
custom_imports = dict(imports=['mmuda', 'projects.hrda'], allow_failed_imports=False)
head = dict(_base_.model.segmentor.decode_head, align_corners=False)
model = dict(
    teacher=dict(mode='sliding'),
    segmentor=dict(
        type='HRDAEncoderDecoder',
        detail_size=(32, 64),
        decode_head=dict(_delete_=True, type='HRDAHead', head=head, scale_attention=head, stride=8),
    ),
    loss_weights=dict(seg_main=0.9, seg_detail=0.1, mix_main=0.9, mix_detail=0.1),
)
