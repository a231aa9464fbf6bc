_base_ = '../source_only/minicity.py'
model = dict(type='AdaBN')
