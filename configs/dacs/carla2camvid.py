# Labels of the source leave out a sixth of each image (the bonnet), so ignored pixels are neither pasted nor counted.
_base_ = '../source_only/carla2camvid.py'
model = dict(type='DACS', paste_ignored=False, mixed_mean='labelled')
