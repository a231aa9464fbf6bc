# Adam of FDA's FCN-8s: biases have twice the rate, all rates are divided by 10 after every 50,000 iterations, and the
# length is that of poly_150k.py. The initial rate and the weight decay of the authors are not known to us; these are
# our choice.
_base_ = './poly_150k.py'
optim_wrapper = dict(
    segmentor=dict(
        _delete_=True, optimizer=dict(type='Adam', lr=1e-5, betas=(0.9, 0.99)), paramwise_cfg=dict(bias_lr_mult=2.0)
    )
)
param_scheduler = [dict(type='StepLR', step_size=50000, gamma=0.1, begin=0, end=150001, by_epoch=False)]
