# AdamW of DAFormer for DeepLabV2, which has no norm layers outside of batch-norm: heads at 10x the rate, decay for all.
_base_ = './adamw_40k.py'
optim_wrapper = dict(
    segmentor=dict(
        paramwise_cfg=dict(
            custom_keys=dict(_delete_=True, head=_base_.optim_wrapper.segmentor.paramwise_cfg.custom_keys['head'])
        )
    )
)
