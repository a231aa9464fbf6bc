# Stage 1 of FADA on VGG-16. Its mean differs a little from AdaptSegNet's.
_base_ = ['../_base_/models/deeplabv2_vgg16-d8.py', '../_base_/datasets/gta2city.py', '../_base_/schedules/poly_31k.py']
data_preprocessor = dict(mean=[103.939, 116.779, 123.68])
model = dict(type='SourceOnly', data_preprocessor=data_preprocessor)
# Images with rare classes come more often.
train_dataloader = dict(batch_size=2, sampler=dict(source_policy=dict(type='ClassBalancedOrder')))
