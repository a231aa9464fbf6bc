# ST: one threshold for all classes.
_base_ = './gta2city.py'
rounds = dict(label=dict(strategy=dict(type='Global')))
