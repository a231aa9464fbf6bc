# Cityscapes as both domains, for oracles. The training images with their labels are the source, and the same images
# without labels are the target. Needs gtFine/train.
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
