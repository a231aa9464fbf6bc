# DACS with UPerNet on Swin-T, trained by DAFormer's schedule; position biases have no weight decay, as in mmseg.
_base_ = [
    '../_base_/models/upernet_swin-t.py',
    '../_base_/datasets/gta2city_dacs.py',
    '../_base_/schedules/adamw_40k.py',
]
model = dict(type='DACS')
optim_wrapper = dict(
    segmentor=dict(
        paramwise_cfg=dict(
            custom_keys=dict(
                _delete_=True,
                head=dict(lr_mult=10.0),
                norm=dict(decay_mult=0.0),
                relative_position_bias_table=dict(decay_mult=0.0),
            )
        )
    )
)
