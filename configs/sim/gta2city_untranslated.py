# SIM on GTA5 as it is: "much lower" than the paper's figure, as its authors say (issue 1), which is with translated
# images.
_base_ = './gta2city.py'
import os

train_dataloader = dict(
    dataset=dict(
        source=dict(
            data_root=os.environ.get('GTA5_ROOT', 'data/gta5'),
            same_size=True,
            data_prefix=dict(img_path='images', seg_map_path='labels'),
        )
    )
)
