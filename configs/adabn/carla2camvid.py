_base_ = '../source_only/carla2camvid.py'
model = dict(type='AdaBN')
