# Base of every training: our runner, hooks for exact resume, and short logs.
custom_imports = dict(imports=['mmuda'], allow_failed_imports=False)
default_scope = 'mmseg'
runner_type = 'AdaptationRunner'

log_interval = 50
default_hooks = dict(
    runtime_info=dict(type='TrainScalarsHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=log_interval, log_metric_by_epoch=False),
    param_scheduler=dict(type='StepSchedulerHook'),
    checkpoint=dict(type='AdaptationCheckpointHook', interval=2000, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    progress=dict(type='ProgressHook'),
    # Scores without labels of the target at every validation, which save_best can use. None switches them off.
    label_free=dict(type='LabelFreeHook'),
)
custom_hooks = [dict(type='RandomStateHook'), dict(type='BatchNormSyncHook')]

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Seconds that processes wait for each other. It is long because the first process reads all labels of a data set
    # for class-balanced sampling.
    dist_cfg=dict(backend='nccl', timeout=7200),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='SegLocalVisualizer', vis_backends=vis_backends)
# Losses are logged as means over the interval already, so their window is 1. Times are logged in every iteration, so
# their window is the interval.
log_processor = dict(
    type='BriefLogProcessor',
    by_epoch=False,
    window_size=1,
    custom_cfg=[dict(data_src='time', method_name='mean', window_size=log_interval)],
)
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0)
