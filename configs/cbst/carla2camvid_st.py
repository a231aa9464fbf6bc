# ST: as CBST, with one threshold for all classes.
_base_ = './carla2camvid.py'
rounds = dict(label=dict(strategy=dict(type='Global')))
