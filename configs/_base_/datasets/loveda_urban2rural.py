# LoveDA, urban to rural: see loveda.py.
_base_ = './loveda.py'
train_dataloader = dict(dataset=dict(source=dict(area='Urban'), target=dict(area='Rural')))
val_dataloader = dict(dataset=dict(area='Rural'))
test_dataloader = val_dataloader
