# ISPRS Vaihingen to Potsdam: see potsdam2vaihingen.py.
_base_ = './potsdam2vaihingen.py'
vaihingen = dict(type='RawVaihingenDataset', data_root=_base_.vaihingen_root)
potsdam = dict(type='RawPotsdamDataset', data_root=_base_.potsdam_root)
train_dataloader = dict(dataset=dict(source=vaihingen, target=potsdam))
val_dataloader = dict(dataset=potsdam)
test_dataloader = val_dataloader
