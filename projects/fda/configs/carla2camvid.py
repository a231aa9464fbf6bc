# One network of FDA from CARLA's renders to CamVid's photographs, with pre-trained weights that two cores can train.
_base_ = '../../../configs/source_only/carla2camvid.py'
custom_imports = dict(imports=['mmuda', 'projects.fda'], allow_failed_imports=False)
model = dict(type='FDA', segmentor=dict(type='SoftEncoderDecoder'))
train_dataloader = dict(dataset=dict(type='StyledPairDataset', beta=0.02))
