# The looks of classes on MiniCity are traded, and an adversary that pushes from the first iteration settles a third of
# the trainings in a wrong assignment of classes: its weight grows over the first 400 iterations. The papers have it
# constant.
_base_ = './minicity.py'
optim_wrapper = dict(discriminator=dict(optimizer=dict(type='Adam', lr=1e-3, betas=(0.9, 0.99))))
default_hooks = dict(adversary=dict(type='LossWeightRampHook', name='adv_main', begin=0, end=400))
