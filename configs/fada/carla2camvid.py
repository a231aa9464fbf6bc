# FADA with the budget in three parts: half of it on the source, a quarter for adversarial learning and a quarter for
# self-distillation. The last part starts from the adapted weights, because it is too short to start from ImageNet
# again.
_base_ = ['../source_only/carla2camvid_one_map.py', '../_base_/stages/fada.py']
runner_type = 'StagedRunner'
source = dict(overrides=_base_.half)
adversarial = dict(
    overrides=dict(
        _base_.quarter,
        model=dict(discriminator=dict(in_channels=256, num_classes=10, channels=(64, 32)), loss_weights=dict(adv=0.01)),
        optim_wrapper=dict(_base_.quarter.optim_wrapper, discriminator=dict(optimizer=dict(lr=1e-3))),
        train_dataloader=dict(batch_size=2),
    )
)
label = dict(batch_size=4, num_workers=0)
load, load_label, scale, *steps = _base_.pseudo_pipeline
distil = dict(
    weights='{adversarial}',
    overrides=dict(
        _base_.quarter,
        train_dataloader=dict(
            batch_size=4,
            dataset=dict(
                target=dict(metainfo=_base_.metainfo, pipeline=[load, load_label, _base_.jitter, scale, *steps])
            ),
        ),
        val_dataloader=dict(dataset=dict(pipeline=_base_.test_pipeline)),
        test_dataloader=dict(dataset=dict(pipeline=_base_.test_pipeline)),
    ),
)
