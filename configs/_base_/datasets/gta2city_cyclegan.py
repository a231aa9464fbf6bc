# GTA5 images that a CycleGAN has translated to the looks of Cityscapes. You provide them:
# GTA5_CYCLEGAN_ROOT/images/*.png with the names of the original images (SIM was published with those of BDL). Labels
# are the original ones. Images can have another size than their labels, because both are resized. So the few pairs of
# GTA5 that differ in size are used too, as in the original code.
_base_ = './gta2city.py'
import os

gta5_root, translated_root = (
    os.environ.get('GTA5_ROOT', 'data/gta5'),
    os.environ.get('GTA5_CYCLEGAN_ROOT', 'data/gta5_cyclegan'),
)
train_dataloader = dict(
    dataset=dict(
        source=dict(
            data_root=None,  # images and labels have no common folder
            same_size=False,
            data_prefix=dict(img_path=translated_root + '/images', seg_map_path=gta5_root + '/labels'),
        )
    )
)
