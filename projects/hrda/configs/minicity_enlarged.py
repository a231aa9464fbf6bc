# HRDA on images of MiniCity that are enlarged twice, so that context images have the size of the files. Four times the
# time of minicity.py.
_base_ = './minicity.py'
enlarge = dict(type='Resize', scale=(256, 128))
load, label, pack = _base_.source_pipeline
load_target, pack_target = _base_.target_pipeline
load_test, label_test, pack_test = _base_.test_pipeline
train_dataloader = dict(
    dataset=dict(
        source=dict(pipeline=[load, label, enlarge, pack]), target=dict(pipeline=[load_target, enlarge, pack_target])
    )
)
val_dataloader = dict(dataset=dict(pipeline=[load_test, enlarge, label_test, pack_test]))
test_dataloader = val_dataloader
model = dict(segmentor=dict(detail_size=(64, 128)))
