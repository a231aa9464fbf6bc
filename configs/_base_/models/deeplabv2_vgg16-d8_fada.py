# DeepLabV2 on VGG-16 as FADA and SDCA train it: the mean differs a little from AdaptSegNet's.
_base_ = './deeplabv2_vgg16-d8.py'
data_preprocessor = dict(mean=[103.939, 116.779, 123.68])
model = dict(data_preprocessor=data_preprocessor)
