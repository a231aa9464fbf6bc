# AdaptSegNet, multi-level, Cityscapes to Taipei of Cross-City. No figure is known to us.
_base_ = './city2crosscity_rio.py'
train_dataloader = dict(dataset=dict(target=dict(city='Taipei')))
val_dataloader = dict(dataset=dict(city='Taipei'))
test_dataloader = val_dataloader
