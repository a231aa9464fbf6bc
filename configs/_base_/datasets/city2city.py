# Cityscapes on both sides, for oracles: the training images with their labels are the source, the same images without
# labels the target. The only data here that needs gtFine/train.
_base_ = './gta2city.py'
import os

city_root = os.environ.get('CITYSCAPES_ROOT', 'data/cityscapes')
source_size = (1024, 512)  # (W, H)
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations', table='cityscapes'),
    dict(_base_.resize, scale=source_size),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        source=dict(
            _delete_=True,
            type='CityscapesDataset',
            data_root=city_root,
            data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
            seg_map_suffix='_gtFine_labelIds.png',
            pipeline=source_pipeline,
        )
    )
)
