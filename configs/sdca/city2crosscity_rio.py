# SDCA, Cityscapes to Rio of Cross-City: a protocol reconstructed from what FADA's author says; nothing of it is
# released.
_base_ = ['../fada/city2crosscity_source.py', '../_base_/schedules/sdca.py']
runner_type = 'StagedRunner'
# Colours change when the image has been resized.
source_pipeline = [*_base_.source_pipeline[:-1], *_base_.photometric, _base_.source_pipeline[-1]]
adapt = dict(overrides=dict(train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
ssl = dict(
    overrides=dict(
        model=dict(segmentor=dict(backbone=dict(norm_cfg=dict(eps=1e-5, requires_grad=True), norm_eval=False))),
        sync_bn='torch',
    )
)
