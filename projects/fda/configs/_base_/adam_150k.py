# Adam of FDA's FCN-8s: biases at twice the rate, a tenth of it after every 50,000 iterations, and the end of
# poly_150k.py. The rate itself and the weight decay are not known to us; those here are our choice.
_base_ = './poly_150k.py'
optim_wrapper = dict(
    segmentor=dict(
        _delete_=True, optimizer=dict(type='Adam', lr=1e-5, betas=(0.9, 0.99)), paramwise_cfg=dict(bias_lr_mult=2.0)
    )
)
param_scheduler = [dict(type='StepLR', step_size=50000, gamma=0.1, begin=0, end=150001, by_epoch=False)]
