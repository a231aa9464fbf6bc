# poly_250k with the Adam of one discriminator, for networks with one level.
_base_ = './poly_250k.py'
optim_wrapper = dict(discriminator=dict(optimizer=dict(type='Adam', lr=1e-4, betas=(0.9, 0.99))))
