# Cityscapes (labelled training split) to one city of Cross-City: its training images have no labels, its 100 test
# images have labels. Here it is Rio; for another city set `city` of the target, the validation and the test data. The
# training has 19 classes. Reported are the 13 that Cross-City annotates, which are those of SYNTHIA's mIoU13. Its
# labels have Cityscapes ids.
_base_ = './city2city.py'
import os

crosscity_root = os.environ.get('CROSSCITY_ROOT', 'data/crosscity')
train_dataloader = dict(
    dataset=dict(
        target=dict(
            _delete_=True,
            type='CrossCityDataset',
            data_root=crosscity_root,
            city='Rio',
            split='train',
            pipeline=_base_.target_pipeline,
        )
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CrossCityDataset',
        data_root=crosscity_root,
        city='Rio',
        split='test',
        test_mode=True,
        pipeline=_base_.test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(protocols=('mIoU13',))
test_evaluator = val_evaluator
