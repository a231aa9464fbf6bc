# SDCA with the budget in three parts: half of it for the source, a quarter for the contrast and a quarter for pseudo
# labels. The last part starts from the adapted weights, because it is too short to start from ImageNet again.
_base_ = ['../source_only/carla2camvid_one_map.py', '../_base_/stages/sdca.py']
runner_type = 'StagedRunner'
source = dict(overrides=_base_.half)
load_source, load_annotations, *_, pack = _base_.source_pipeline
statistics = dict(
    dataset=dict(_base_.train_dataloader.dataset.source, pipeline=[load_source, load_annotations, pack]),
    batch_size=4,
    num_workers=0,
)
adapt = dict(overrides=dict(_base_.quarter, train_dataloader=dict(batch_size=2)))
label = dict(batch_size=4, num_workers=0)
*labelled, pack = _base_.pseudo_pipeline
ssl = dict(
    weights='{adapt}',
    overrides=dict(
        _base_.quarter,
        train_dataloader=dict(
            batch_size=4,
            dataset=dict(target=dict(metainfo=_base_.metainfo, pipeline=[*labelled, *_base_.photometric, pack])),
        ),
        val_dataloader=dict(dataset=dict(pipeline=_base_.test_pipeline)),
        test_dataloader=dict(dataset=dict(pipeline=_base_.test_pipeline)),
    ),
)
