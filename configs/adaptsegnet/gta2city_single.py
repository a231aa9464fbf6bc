# AdaptSegNet, single-level: the weights of the auxiliary level are zero. The auxiliary head still runs, as in the
# released code.
_base_ = './gta2city.py'
model = dict(loss_weights=dict(seg_aux=0.0, adv_aux=0.0))
