# SIM on GTA5 without translation. The paper's figure is for translated images; according to the authors the figure
# without translation is "much lower" (issue 1).
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
