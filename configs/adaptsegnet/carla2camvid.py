_base_ = '../advent/carla2camvid.py'
model = dict(type='AdaptSegNet', loss_weights=dict(adv_main=0.01))
