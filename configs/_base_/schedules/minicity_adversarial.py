_base_ = './minicity.py'
optim_wrapper = dict(discriminator=dict(optimizer=dict(type='Adam', lr=1e-3, betas=(0.9, 0.99))))
