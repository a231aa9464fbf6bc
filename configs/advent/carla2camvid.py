_base_ = '../source_only/carla2camvid.py'
model = dict(
    type='ADVENT',
    discriminator=dict(type='FCDiscriminatorHead', in_channels=10, base_channels=16),
    loss_weights=dict(adv_main=0.01),
)
optim_wrapper = dict(discriminator=dict(optimizer=dict(type='Adam', lr=1e-3, betas=(0.9, 0.99))))
