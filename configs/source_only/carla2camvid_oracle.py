# The upper bound: source-only training with the labels of the target's training images as its source.
_base_ = './carla2camvid.py'
labelled = 'lists/target_train_labelled.txt'
train_dataloader = dict(dataset=dict(source=dict(ann_file=labelled), target=dict(ann_file=labelled)))
