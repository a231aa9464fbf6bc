# Classes exchange their looks on MiniCity. An adversarial loss with its full weight from the start can lead to a wrong
# assignment of classes, so its weight grows over the first 400 iterations. The papers keep it constant (see the README
# of advent).
_base_ = './minicity.py'
optim_wrapper = dict(discriminator=dict(optimizer=dict(type='Adam', lr=1e-3, betas=(0.9, 0.99))))
default_hooks = dict(adversary=dict(type='LossWeightRampHook', name='adv_main', begin=0, end=400))
