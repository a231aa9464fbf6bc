# CBST's rounds for DeepLabV2-ResNet-101, with the learning rate that its authors use with this network (CRST, 2019).
_base_ = './cbst.py'
rounds = dict(
    label=dict(flip=True),
    train=dict(
        optim_wrapper=dict(
            segmentor=dict(
                optimizer=dict(_delete_=True, type='SGD', lr=5e-5, momentum=0.9, weight_decay=5e-4), repeats=None
            )
        )
    ),
)
