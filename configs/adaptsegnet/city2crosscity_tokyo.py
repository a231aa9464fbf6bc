# AdaptSegNet, multi-level, Cityscapes to Tokyo of Cross-City. No figure is known to us.
_base_ = './city2crosscity_rio.py'
train_dataloader = dict(dataset=dict(target=dict(city='Tokyo')))
val_dataloader = dict(dataset=dict(city='Tokyo'))
test_dataloader = val_dataloader
