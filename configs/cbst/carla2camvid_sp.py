# CBST-SP: as CBST, with a prior: how often each class occurs at each place of source images.
_base_ = './carla2camvid.py'
stages = ['source', 'prior', 'rounds']
prior = dict(type='PriorStage', size=(90, 120), kernel=15)
rounds = dict(label=dict(prior='{prior}/prior.npz'))
