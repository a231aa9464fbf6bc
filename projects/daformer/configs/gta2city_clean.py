# DAFormer without the quirks of the released code: classes of each image are halved, unlabelled pixels are not pasted
# and do not count in means, and colours are jittered by today's formulas. No figure is known.
_base_ = './gta2city.py'
model = dict(
    classes_of='image',
    paste_ignored=False,
    source_mean='labelled',
    mixed_mean='labelled',
    augmentation=dict(formulas='torchvision'),
)
