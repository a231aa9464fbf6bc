# One network of FDA from CARLA's renders to CamVid's photographs, with pre-trained weights that two cores can train.
_base_ = '../../../configs/dacs/carla2camvid.py'
custom_imports = dict(imports=['mmuda', 'projects.fda'], allow_failed_imports=False)
model = dict(
    _delete_=True,
    type='FDA',
    data_preprocessor=_base_.data_preprocessor,
    segmentor=dict(_base_.model.segmentor, type='SoftEncoderDecoder'),
)
train_dataloader = dict(dataset=dict(type='StyledPairDataset', beta=0.02))
