# MinEnt, GTA5 to Cityscapes: direct entropy minimisation, no discriminator.
_base_ = ['../_base_/models/deeplabv2_r101-d8.py', '../_base_/datasets/gta2city.py', '../_base_/schedules/poly_250k.py']
model = dict(type='MinEnt', loss_weights=dict(seg_main=1.0, seg_aux=0.1, ent_main=0.001, ent_aux=0.0002))
test_evaluator = dict(
    paper=dict(
        name='MinEnt (Vu et al. 2019)',
        per_class=[
            84.4,
            18.7,
            80.6,
            23.8,
            23.2,
            28.4,
            36.9,
            23.4,
            83.2,
            25.2,
            79.4,
            59.0,
            29.9,
            78.5,
            33.7,
            29.6,
            1.7,
            29.9,
            33.6,
        ],
        mIoU=42.3,
    )
)
