# The baseline that SDCA must beat on MiniCity: source-only, then AdaBN, for as long as SDCA trains and with its
# supervised loss.
_base_ = './minicity_continued.py'
source = dict(overrides=dict(model=dict(loss_weights=dict(lov_main=0.75))))
adabn = dict(overrides=dict(model=dict(loss_weights=dict(lov_main=0.75))))
