_base_ = '../source_only/carla2camvid.py'
model = dict(type='MinEnt', loss_weights=dict(ent_main=0.02))
