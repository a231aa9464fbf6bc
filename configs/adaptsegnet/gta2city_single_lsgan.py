# AdaptSegNet, single-level with least-squares GAN losses (appendix of the paper's second version).
_base_ = './gta2city_single.py'
model = dict(gan='least_squares', loss_weights=dict(adv_main=0.01))
