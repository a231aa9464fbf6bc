# The upper bound on MiniCity: source-only training with the labels of the target's training images as its source.
# `python tools/minicity.py --oracle-labels` writes them.
_base_ = './minicity.py'
train_dataloader = dict(
    dataset=dict(
        source=dict(
            _delete_=True,
            type='CityscapesDataset',
            data_root=_base_.val_dataloader.dataset.data_root,
            data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
            seg_map_suffix='_gtFine_labelIds.png',
            pipeline=[
                dict(type='LoadDomainImage'),
                dict(type='LoadDomainAnnotations', table='cityscapes'),
                dict(type='PackSegInputs'),
            ],
        )
    )
)
