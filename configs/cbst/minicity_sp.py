# CBST-SP: as CBST, with a prior: how often each class occurs at each place of source images.
_base_ = './minicity.py'
stages = ['source', 'prior', 'rounds']
prior = dict(type='PriorStage', size=(64, 128), kernel=9)
rounds = dict(label=dict(prior='{prior}/prior.npz'))
