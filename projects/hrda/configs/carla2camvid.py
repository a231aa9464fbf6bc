# HRDA from CARLA's renders to CamVid's photographs with DAFormer's training. Images have twice the size of the other
# configs of this pair, so the context has theirs.
_base_ = '../../daformer/configs/carla2camvid.py'
custom_imports = dict(imports=['mmuda', 'projects.daformer', 'projects.hrda'], allow_failed_imports=False)
head = dict(_base_.model.segmentor.decode_head)
model = dict(
    teacher=dict(mode='sliding'),
    segmentor=dict(
        type='HRDAEncoderDecoder',
        detail_size=(144, 192),
        decode_head=dict(_delete_=True, type='HRDAHead', head=head, scale_attention=head, stride=4),
    ),
    loss_weights=dict(seg_main=0.9, seg_detail=0.1, mix_main=0.9, mix_detail=0.1),
)
resize = dict(_base_.resize, scale=(384, 288))  # (W, H)
load, label, _, *steps = _base_.source_pipeline
load_target, _, *target_steps = _base_.target_pipeline
load_test, _, *test_steps = _base_.test_pipeline
test_pipeline = [load_test, resize, *test_steps]
train_dataloader = dict(
    dataset=dict(
        source=dict(pipeline=[load, label, resize, *steps]), target=dict(pipeline=[load_target, resize, *target_steps])
    )
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
