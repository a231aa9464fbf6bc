# ISPRS Vaihingen to Potsdam: see potsdam2vaihingen.py.
_base_ = './potsdam2vaihingen.py'
potsdam = dict(type='RawPotsdamDataset', data_root=_base_.potsdam_root, bands='IRRG')
train_dataloader = dict(
    dataset=dict(
        source=dict(
            _delete_=True, type='RawVaihingenDataset', data_root=_base_.vaihingen_root, pipeline=_base_.source_pipeline
        ),
        target=potsdam,
    )
)
val_dataloader = dict(dataset=potsdam)
test_dataloader = val_dataloader
