_base_ = '../source_only/gta2city.py'
model = dict(type='AdaBN')
