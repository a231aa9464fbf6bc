_base_ = '../../../configs/source_only/minicity.py'
custom_imports = dict(imports=['mmuda', 'projects.example_project.maxsquare'], allow_failed_imports=False)
model = dict(type='MaxSquare', loss_weights=dict(square_main=0.1))
