_base_ = '../source_only/minicity.py'
model = dict(type='MinEnt', loss_weights=dict(ent_main=0.02))
