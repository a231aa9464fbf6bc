# ST: one threshold for all classes.
_base_ = './synthia2city.py'
rounds = dict(label=dict(strategy=dict(type='Global')))
