# CBST-SP: confidences times a prior of where classes are in source images. The authors' own file may be named instead:
# --cfg-options rounds.label.prior=prior_array.mat "stages=['source','rounds']".
_base_ = './gta2city.py'
stages = ['source', 'prior', 'rounds']
prior = dict(type='PriorStage', size=(1024, 2048), kernel=70)
rounds = dict(label=dict(prior='{prior}/prior.npz'))
