# SDCA, GTA5 to Cityscapes (Li et al., 2021), all stages. Batch-norm is trained in the last one.
_base_ = ['../fada/gta2city_source.py', '../_base_/schedules/sdca.py']
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
test_evaluator = dict(paper=dict(name='SDCA (Li et al. 2021)', mIoU=52.9))
