"""Configs and options from the command line."""

import pytest
from toolbox import CONFIGS

from mmuda.engine.launch import load_config, set_precision, use_tta

MINICITY = CONFIGS / 'advent/minicity.py'


def test_options_are_applied():
    cfg = load_config(
        MINICITY,
        {
            'train_cfg.max_iters': 5,
            'model.loss_weights.adv_main': 0.5,
            'param_scheduler.0.end': 7,
            '+model.gan': 'least_squares',
        },
    )
    assert cfg.train_cfg.max_iters == 5 and cfg.model.loss_weights.adv_main == 0.5 and cfg.param_scheduler[0].end == 7
    assert cfg.model.gan == 'least_squares'


def test_parameters_that_a_config_leaves_at_their_defaults_exist():
    options = {
        'model.gan': 'least_squares',
        'model.loss_weights.seg_main': 0.5,
        'train_dataloader.dataset.source.mismatched': 'skip',  # an argument of the base class of GTA5Dataset
        'model.segmentor.backbone.init_cfg.checkpoint': 'x.pth',
    }
    cfg = load_config(MINICITY, options)
    assert cfg.model.gan == 'least_squares' and cfg.model.loss_weights == dict(adv_main=0.05, seg_main=0.5)
    assert cfg.train_dataloader.dataset.source.mismatched == 'skip'
    cfg = load_config(CONFIGS / 'advent/gta2city.py', {'model.loss_weights.adv_aux': 1e-4})
    assert cfg.model.loss_weights == dict(adv_aux=1e-4)


@pytest.mark.parametrize(
    'key, message',
    [
        ('train_cfg.max_iter', "'max_iter' does not exist in train_cfg; did you mean max_iters"),
        ('modle.type', "'modle' does not exist in the config; did you mean model"),
        ('model.loss_weights.adv_mian', 'did you mean adv_main'),
        ('model.gna', "'gna' does not exist in model; did you mean gan"),
        ('train_dataloader.dataset.source.mismached', 'did you mean mismatched'),
        ('param_scheduler.3.end', "'3' does not exist in param_scheduler; it has 0"),
        ('train_cfg.max_iters.deep', 'it has no keys'),
        ('root', "'root' is a variable of the config file"),
        ('data_preprocessor.std', "'data_preprocessor' is a variable"),
    ],
)
def test_unknown_keys_are_errors(key, message):
    with pytest.raises(KeyError, match=message):
        load_config(MINICITY, {key: 1})


def test_work_dirs_do_not_collide(tmp_path):
    assert load_config(MINICITY).work_dir == 'work_dirs/advent/minicity'
    assert load_config(CONFIGS / 'adabn/minicity.py').work_dir == 'work_dirs/adabn/minicity'
    assert load_config(MINICITY, work_dir=str(tmp_path)).work_dir == str(tmp_path)
    project = CONFIGS.parent / 'projects/example_project/configs/maxsquare_minicity.py'
    assert load_config(project).work_dir == 'work_dirs/example_project/maxsquare_minicity'


def test_a_missing_config_is_named():
    with pytest.raises(FileNotFoundError, match='nothing.py does not exist'):
        load_config('nothing.py')


def test_a_syntax_error_names_file_line_and_text_in_a_base_too(tmp_path):
    (tmp_path / 'base.py').write_text('a = 1\nb = dict(c=2\n')
    (tmp_path / 'config.py').write_text("_base_ = 'base.py'\n")
    with pytest.raises(ValueError, match=r"base\.py, line 2: '\(' was never closed: 'b = dict\(c=2'"):
        load_config(tmp_path / 'config.py')


def test_data_roots_come_from_the_environment(monkeypatch):
    monkeypatch.setenv('GTA5_ROOT', '/mnt/gta')
    monkeypatch.setenv('CITYSCAPES_ROOT', '/mnt/city')
    cfg = load_config(CONFIGS / 'advent/gta2city.py')
    assert cfg.train_dataloader.dataset.source.data_root == '/mnt/gta'
    assert {cfg.train_dataloader.dataset.target.data_root, cfg.test_dataloader.dataset.data_root} == {'/mnt/city'}


def test_amp_and_tta_need_what_they_change():
    cfg = load_config(MINICITY)
    set_precision(cfg, 'bfloat16')
    assert cfg.optim_wrapper.precision == 'bfloat16'
    cfg.optim_wrapper.constructor = 'DefaultOptimWrapperConstructor'
    with pytest.raises(KeyError, match='--amp sets'):
        set_precision(cfg, 'bfloat16')
    use_tta(cfg)
    assert cfg.model.type == 'MeanProbabilityTTA' and cfg.model.module.type == 'ADVENT'


def test_tta_of_an_ensemble():
    cfg = load_config(MINICITY)
    cfg.model = dict(type='LogitEnsemble', models=[cfg.model] * 2)
    use_tta(cfg)
    assert cfg.model.module.type == 'LogitEnsemble' and len(cfg.model.module.models) == 2
    cfg = load_config(CONFIGS / 'cbst/gta2city.py')
    cfg.model = dict(type='LogitEnsemble', models=[cfg.model] * 2)
    with pytest.raises(ValueError, match='BicubicEncoderDecoder of this config does already'):
        use_tta(cfg)


def test_tta_mirrors_what_the_config_tests():
    cfg = load_config(CONFIGS / 'cbst/gta2city_r101.py')
    use_tta(cfg)
    load, augment = cfg.test_dataloader.dataset.pipeline
    kinds = [[step['type'] for step in steps] for steps in augment['transforms']]
    assert load['type'] == 'LoadImageFromFile'
    assert kinds == [['ResizeLongSide'], ['RandomFlip'] * 2, ['LoadDomainAnnotations'], ['PackSegInputs']]
    assert augment['transforms'][0][0]['length'] == 2048
    with pytest.raises(ValueError, match='BicubicEncoderDecoder of this config does already'):
        use_tta(load_config(CONFIGS / 'cbst/gta2city.py'))
    cfg = load_config(MINICITY)
    cfg.test_dataloader.dataset.pipeline = cfg.test_dataloader.dataset.pipeline[1:]
    cfg.test_dataloader.dataset.pipeline[0]['type'] = 'Resize'
    with pytest.raises(ValueError, match='begins with loading an image, not with Resize'):
        use_tta(cfg)
