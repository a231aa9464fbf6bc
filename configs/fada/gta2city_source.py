# Stage 1 of FADA (Wang et al., ECCV 2020) on ResNet-101: source-only training.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_imagenet.py',
    '../_base_/datasets/gta2city.py',
    '../_base_/schedules/poly_31k.py',
]
model = dict(type='SourceOnly')
# Images with rare classes come more often.
train_dataloader = dict(batch_size=2, sampler=dict(source_policy=dict(type='ClassBalancedOrder')))
