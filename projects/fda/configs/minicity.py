# FDA with a round of self-training on MiniCity, from random weights: six trainings, each with the budget of MiniCity.
# The windows have one, three and five frequencies.
_base_ = ['../../../configs/source_only/minicity.py', './_base_/rounds.py']
custom_imports = dict(imports=['mmuda', 'projects.fda'], allow_failed_imports=False)
runner_type = 'StagedRunner'
model = dict(type='FDA', segmentor=dict(type='SoftEncoderDecoder'))
test_ensemble = dict(type='ProbabilityEnsemble')
train_dataloader = dict(dataset=dict(type='StyledPairDataset', beta=0.02))
small_pipeline = [dict(type='LoadDomainImage'), dict(type='LoadPseudoLabel'), dict(type='PackSegInputs')]
rounds = dict(
    betas=(0.02, 0.05, 0.09),
    num_rounds=1,
    label=dict(pipeline=None, band_weights=None, at='image', batch_size=4, num_workers=0),
    train=dict(
        train_dataloader=dict(
            dataset=dict(style={{_base_.train_dataloader.dataset.target}}, target=dict(pipeline=small_pipeline))
        )
    ),
)
