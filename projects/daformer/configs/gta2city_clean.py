# DAFormer without the quirks of the released code: half of the classes of each image are pasted, unlabelled pixels are
# not pasted and do not count in means, and colours are jittered by the formulas of torchvision. No figure is known.
_base_ = './gta2city.py'
model = dict(
    classes_of='image',
    paste_ignored=False,
    source_mean='labelled',
    mixed_mean='labelled',
    augmentation=dict(formulas='torchvision'),
)
