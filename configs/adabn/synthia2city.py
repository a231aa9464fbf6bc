_base_ = '../source_only/synthia2city.py'
model = dict(type='AdaBN')
