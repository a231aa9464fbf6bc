# AdaptSegNet, multi-level, Cityscapes to Rome of Cross-City. No figure is known to us.
_base_ = './city2crosscity_rio.py'
train_dataloader = dict(dataset=dict(target=dict(city='Rome')))
val_dataloader = dict(dataset=dict(city='Rome'))
test_dataloader = val_dataloader
