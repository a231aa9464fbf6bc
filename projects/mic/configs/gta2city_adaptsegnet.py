# AdaptSegNet, one level, with masked image consistency as the released code of MIC trains it.
_base_ = './gta2city_minent.py'
model = dict(
    _delete_=True,
    type='MICAdaptSegNet',
    data_preprocessor=_base_.data_preprocessor,
    segmentor=_base_.model.segmentor,
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    loss_weights=dict(adv_main=0.001),
    masked=dict(images='target', block=32, ratio=0.7),
    source_mean='all',
)
optim_wrapper = dict(discriminator=dict(optimizer=dict(type='Adam', lr=1e-4, betas=(0.9, 0.99))))
