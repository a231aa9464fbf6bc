# ST: as CBST, with one threshold for all classes.
_base_ = './minicity.py'
rounds = dict(label=dict(strategy=dict(type='Global')))
