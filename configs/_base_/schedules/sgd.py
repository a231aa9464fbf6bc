# Base of every schedule: SGD for the segmentor, a separate optimizer for each other module, iterations instead of
# epochs, validation during training.
_base_ = '../default_runtime.py'
optim_wrapper = dict(
    constructor='PerModuleOptimWrapperConstructor',
    precision=None,
    accumulative_counts=1,
    segmentor=dict(optimizer=dict(type='SGD', momentum=0.9, weight_decay=5e-4)),
)
train_cfg = dict(type='IterBasedTrainLoop')
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
