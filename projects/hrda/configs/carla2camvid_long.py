# Twice the budget of carla2camvid.py: 400 iterations on the source, as there, and then 1200 of HRDA.
_base_ = './carla2camvid.py'
adapt = dict(
    overrides=dict(
        param_scheduler=[dict(_base_.param_scheduler[0], end=1201)], train_cfg=dict(max_iters=1200, val_interval=1200)
    )
)
