# HRDA from CARLA's renders to CamVid's photographs with DAFormer's training. Crops have 1.5 times the height and width
# of the crops of the other configs of this pair. Context and details have about three quarters of the height and width
# of those.
_base_ = '../../daformer/configs/carla2camvid.py'
custom_imports = dict(imports=['mmuda', 'projects.daformer', 'projects.hrda'], allow_failed_imports=False)
head = dict(_base_.model.segmentor.decode_head)
model = dict(
    segmentor=dict(
        type='HRDAEncoderDecoder',
        detail_size=(112, 144),
        overlap=False,
        decode_head=dict(_delete_=True, type='HRDAHead', head=head, scale_attention=head, stride=4),
    ),
    loss_weights=dict(seg_main=0.9, seg_detail=0.1),
)
adapt = dict(overrides=dict(model=dict(teacher=dict(mode='sliding'), loss_weights=dict(mix_main=0.9, mix_detail=0.1))))
window = dict(_base_.window, size=(224, 288))  # (H, W)
load, label, scale, crop, *steps = _base_.source_pipeline
load_target, _, *target_steps = _base_.target_pipeline
train_dataloader = dict(
    dataset=dict(
        source=dict(pipeline=[load, label, scale, dict(crop, **window), *steps]),
        target=dict(pipeline=[load_target, window, *target_steps]),
    )
)
