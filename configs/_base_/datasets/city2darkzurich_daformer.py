# Cityscapes to Dark Zurich as DAFormer reads them: as city2acdc_daformer.py.
import os

_base_ = './city2acdc_daformer.py'
dark_zurich_root = os.environ.get('DARK_ZURICH_ROOT', 'data/dark_zurich')
target_prefix = dict(img_path='rgb_anon/train/night')
test_prefix = dict(img_path='rgb_anon/val/night', seg_map_path='gt/val/night')
train_dataloader = dict(dataset=dict(target=dict(data_root=dark_zurich_root, data_prefix=target_prefix)))
val_dataloader = dict(dataset=dict(data_root=dark_zurich_root, data_prefix=test_prefix))
test_dataloader = val_dataloader
