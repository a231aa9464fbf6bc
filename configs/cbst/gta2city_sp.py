# CBST-SP: probabilities are multiplied by a prior: how often each class occurs at each place of source images. The file
# of the authors can be used instead: --cfg-options rounds.label.prior=prior_array.mat "stages=['source','rounds']".
_base_ = './gta2city.py'
stages = ['source', 'prior', 'rounds']
prior = dict(type='PriorStage', size=(1024, 2048), kernel=70)
rounds = dict(label=dict(prior='{prior}/prior.npz'))
