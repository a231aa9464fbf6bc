# poly_250k with one Adam for each discriminator.
_base_ = './poly_250k.py'
adam = dict(type='Adam', lr=1e-4, betas=(0.9, 0.99))
optim_wrapper = dict(aux_discriminator=dict(optimizer=adam), discriminator=dict(optimizer=adam))
