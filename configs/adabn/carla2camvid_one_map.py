# AdaBN with the network of SIM, FADA and SDCA, whose head reads one feature map.
_base_ = '../source_only/carla2camvid_one_map.py'
model = dict(type='AdaBN')
