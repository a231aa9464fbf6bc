# AdamW of DAFormer for DeepLabV2, which has no norm layers except batch-norm: heads at 10x the rate, weight decay for
# all parameters.
_base_ = './adamw_40k.py'
optim_wrapper = dict(
    segmentor=dict(
        paramwise_cfg=dict(
            custom_keys=dict(_delete_=True, head=_base_.optim_wrapper.segmentor.paramwise_cfg.custom_keys['head'])
        )
    )
)
