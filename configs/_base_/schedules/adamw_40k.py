# AdamW of DAFormer, HRDA and MIC: heads at 10x the rate of the backbone, no decay for the norms of the backbone, linear
# warm-up over 1500 iterations, then linear decay to zero at 40,000.
_base_ = './sgd.py'
no_decay = dict(decay_mult=0.0)
optim_wrapper = dict(
    segmentor=dict(
        optimizer=dict(_delete_=True, type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
        paramwise_cfg=dict(
            custom_keys={
                'head': dict(lr_mult=10.0),  # norms of the head that are called bn have weight decay
                'norm': no_decay,
                # MiT's norms after each stage: mmseg names them by their index.
                **{f'backbone.layers.{stage}.2.': no_decay for stage in range(4)},
            }
        ),
    )
)
param_scheduler = [
    dict(
        type='WarmupPolyLR', power=1.0, eta_min=0.0, warmup=1500, warmup_ratio=1e-6, begin=0, end=40001, by_epoch=False
    )
]
train_cfg = dict(max_iters=40000, val_interval=4000)
default_hooks = dict(checkpoint=dict(interval=4000))
