# The training of DAFormer from CARLA's renders to CamVid's photographs, with pre-trained weights that two cores can
# fine-tune. As with DACS there is a source training before, and rare classes of the source are drawn first. Thing
# classes are traffic signs, persons and cars.
_base_ = '../../../configs/dacs/carla2camvid.py'
custom_imports = dict(imports=['mmuda', 'projects.daformer'], allow_failed_imports=False)
method = dict(type='DAFormer', teacher=dict(decay=0.99), source_mean='labelled', distance_classes=(5, 8, 9))
adapt = dict(overrides=dict(model=method))
