# CBST-SP: confidences times a prior of where classes are in source images. The authors' own file may be named instead:
# --cfg-options rounds.label.prior=prior_array.mat "stages=['source','rounds']".
_base_ = './gta2city.py'
stages = ['source', 'prior', 'rounds']
prior = dict(type='PriorStage', size=(1024, 2048), kernel=70)
rounds = dict(label=dict(prior='{prior}/prior.npz'))
test_evaluator = dict(
    paper=dict(
        name='CBST-SP, ResNet-38 (Zou et al. 2018)',
        per_class=[
            88.0,
            56.2,
            77.0,
            27.4,
            22.4,
            40.7,
            47.3,
            40.9,
            82.4,
            21.6,
            60.3,
            50.2,
            20.4,
            83.8,
            35.0,
            51.0,
            15.2,
            20.6,
            37.0,
        ],
        mIoU=46.2,
    )
)
