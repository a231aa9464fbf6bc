# MinEnt with masked image consistency as the released code of MIC trains it.
_base_ = './gta2city_dacs.py'
model = dict(
    _delete_=True,
    type='MICMinEnt',
    data_preprocessor=_base_.data_preprocessor,
    segmentor=_base_.model.segmentor,
    loss_weights=dict(ent_main=0.001),
    masked=dict(images='target', block=32, ratio=0.7),
    source_mean='all',
)
optim_wrapper = dict(
    segmentor=dict(_delete_=True, optimizer=dict(type='SGD', lr=2.5e-3, momentum=0.9, weight_decay=5e-4))
)
