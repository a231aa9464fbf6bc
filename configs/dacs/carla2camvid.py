# CARLA renders to CamVid photographs with pre-trained weights that two cores can fine-tune. Labels of the source leave
# out a sixth of each image (the bonnet), so ignored pixels are neither pasted nor counted.
_base_ = [
    '../_base_/models/efficientnet_lite0_segformer-os16.py',
    '../_base_/datasets/carla2camvid.py',
    '../_base_/schedules/minicity.py',
]
model = dict(type='DACS', paste_ignored=False, mixed_mean='labelled', segmentor=dict(decode_head=dict(num_classes=10)))
optim_wrapper = dict(segmentor=dict(optimizer=dict(lr=0.005)))
