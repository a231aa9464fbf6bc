# DAFormer's training with masked image consistency from CARLA's renders to CamVid's photographs.
_base_ = '../../daformer/configs/carla2camvid.py'
custom_imports = dict(imports=['mmuda', 'projects.mic'], allow_failed_imports=False)
adapt = dict(overrides=dict(model=dict(type='MICDAFormer', masked=dict(images='target', block=16, ratio=0.5))))
