# IntraDA, GTA5 to Cityscapes (Pan et al., CVPR 2020).
_base_ = ['../advent/gta2city.py', '../_base_/schedules/intrada.py']
runner_type = 'StagedRunner'
test_evaluator = dict(
    paper=dict(
        _delete_=True,
        name='IntraDA (Pan et al. 2020)',
        per_class=[
            90.6,
            36.1,
            82.6,
            29.5,
            21.3,
            27.6,
            31.4,
            23.1,
            85.2,
            39.3,
            80.2,
            59.3,
            29.4,
            86.4,
            33.6,
            53.9,
            0.0,
            32.7,
            37.6,
        ],
        mIoU=46.3,
    )
)
