# DACS on MiniCity with the labels of eight target images (semi-supervised adaptation): `python tools/minicity.py
# --oracle-labels` writes them. Any method of DomainPairDataset has this option.
_base_ = './minicity.py'
model = dict(loss_weights=dict(target_labelled=1.0))
train_dataloader = dict(
    dataset=dict(
        target_labelled=dict(
            type='CityscapesDataset',
            data_root=_base_.val_dataloader.dataset.data_root,
            data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
            seg_map_suffix='_gtFine_labelIds.png',
            indices=8,
            pipeline=[
                dict(type='LoadDomainImage'),
                dict(type='LoadDomainAnnotations', table='cityscapes'),
                dict(type='PackSegInputs'),
            ],
        )
    )
)
