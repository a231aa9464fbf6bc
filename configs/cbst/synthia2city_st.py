# ST: one threshold for all classes.
_base_ = './synthia2city.py'
rounds = dict(label=dict(strategy=dict(type='Global')))
test_evaluator = dict(
    paper=dict(
        name='ST, ResNet-38 (Zou et al. 2018)',
        per_class=[38.2, 19.6, 70.2, 3.9, 0.0, 31.9, 17.6, 17.2, 82.4, 68.3, 63.1, 5.3, 78.4, 11.2, 0.8, 7.5],
        mIoU16=32.2,
        mIoU13=36.9,
    )
)
