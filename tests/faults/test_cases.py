"""Problems that users have reported, each with the behaviour expected now."""

import json

import pytest
from commands import TOOLS, options, run
from mmengine.config import Config
from toolbox import CONFIGS

from mmuda.checks import check_config
from mmuda.engine.launch import load_config


def errors(path, options=None) -> str:
    """Return the errors of a config, one on each line."""
    return '\n'.join(str(finding) for finding in check_config(load_config(path, options)) if finding.level == 'error')


@pytest.fixture
def config(minicity, tmp_path, monkeypatch):
    """Return a function that writes a config with a base."""
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))

    def write(text: str, base: str = 'advent'):
        path = tmp_path / 'config.py'
        path.write_text(f"_base_ = '{CONFIGS / base / 'minicity.py'}'\n{text}")
        return path

    return write


def test_a_longer_training_needs_a_longer_schedule(config):
    """A schedule that ends before the training is an error. The learning rate was zero for the rest of the training."""
    told = errors(config(''), {'train_cfg.max_iters': 2000})
    assert 'param_scheduler.0.end: is 1001, but the training has 2000 optimizer steps' in told
    assert 'at least 2001' in told
    assert errors(config(''), {'train_cfg.max_iters': 2000, 'param_scheduler.0.end': 2001}) == ''
    # The schedule counts optimizer steps.
    assert errors(config(''), {'train_cfg.max_iters': 2000, 'optim_wrapper.accumulative_counts': 2}) == ''


def test_a_list_of_evaluators_trains_and_is_tested(config, minicity, tmp_path, trained):
    metrics = "[dict(type='DomainIoUMetric'), dict(type='IoUMetric', prefix='mmseg')]"
    path = config(f'val_evaluator = {metrics}\ntest_evaluator = {metrics}\n')
    assert errors(path) == ''
    command = [TOOLS / 'test.py', path, trained['advent'], '--work-dir', tmp_path / 'test']
    log = run(minicity, *command, '--eval', 'mDice', *options('advent'))
    assert 'mmseg/mDice' in log
    (result,) = (tmp_path / 'test').glob('*.json')
    assert 'mDice' in json.loads(result.read_text())['metrics']


def test_a_test_without_evaluator_is_told(config, minicity, trained):
    path = config('test_evaluator = None\n')
    log = run(minicity, TOOLS / 'test.py', path, trained['advent'], *options('advent'), fails=True)
    assert log.splitlines()[-1].startswith('error:') and 'test_evaluator: is None' in log and 'Traceback' not in log


def test_an_epoch_that_never_ends_is_told(config):
    told = errors(
        config(
            "train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=2, val_interval=1)\n"
            "param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=2, by_epoch=True)]\n"
        )
    )
    assert told.startswith(
        'train_cfg.type: an EpochBasedTrainLoop never ends its first epoch with the DomainPairSampler'
    )


STAGED = """
names = ('a', 'b', 'c')
steps = [dict(type='LoadDomainImage'), dict(type='PackSegInputs')]
source_ = dict(
    _delete_=True, type='SegmentationListDataset', data_root='{root}', ann_file='list.txt', label_classes=names
)
side = dict(source_, pipeline=steps)
train_dataloader = dict(dataset=dict(source=side, target=side))
val_dataloader = dict(dataset=dict(source_, test_mode=True, pipeline=steps))
test_dataloader = val_dataloader
model = dict(segmentor=dict(decode_head=dict(num_classes=3)))
labels = dict({mark}type='PseudoLabelDataset', labels='{{label}}', metainfo=dict(classes=names), pipeline=steps)
rounds = dict(train=dict(train_dataloader=dict(dataset=dict(
    _delete_=True, type='DomainMixDataset', source=dict(pipeline=steps), target=labels))))
"""


@pytest.mark.parametrize(('mark', 'fits'), [('', False), ('_replace_=True, ', True)])
def test_a_deletion_that_inheritance_uses_up_is_told(config, tmp_path, mark, fits):
    (tmp_path / 'list.txt').write_text('a.png\n')
    told = errors(config(STAGED.format(root=tmp_path, mark=mark), 'cbst'))
    if fits:
        assert told == ''
    else:
        assert "train_dataloader.dataset.target.label_classes: PseudoLabelDataset has no key 'label_classes'" in told
        assert "stage 'rounds/0/train'" in told and '_replace_=True' in told


@pytest.mark.parametrize('outputs', [1, 18, 25])
def test_outputs_and_classes_agree(config, outputs):
    told = errors(config(''), {'model.segmentor.decode_head.num_classes': outputs})
    place, data = 'model.segmentor.decode_head.num_classes', 'train_dataloader.dataset.source'
    assert told == f'{place}: is {outputs}, but {data} has 19 classes, expected 19'


NAMES = ["it's here", 'a "quoted" one', 'back\\slash', 'blanks and {braces}', "x'; import os; os.mkdir('harm'); '"]


@pytest.mark.parametrize('name', NAMES)
def test_a_data_root_is_never_code(name, tmp_path, monkeypatch):
    """A data root is never executed as code, neither by our reader of configs nor by that of mmengine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MINICITY_ROOT', f'{tmp_path}/{name}')
    for cfg in (Config.fromfile(CONFIGS / 'advent/minicity.py'), load_config(CONFIGS / 'advent/minicity.py')):
        assert cfg.train_dataloader.dataset.source.data_root == f'{tmp_path}/{name}/source'
    assert not (tmp_path / 'harm').exists()


@pytest.mark.parametrize('name', NAMES[:3])
def test_a_config_that_pastes_a_variable_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.setenv('SOME_ROOT', name)
    path = tmp_path / 'config.py'
    path.write_text("root = '{{$SOME_ROOT:data}}'\nwork_dir = root\n")
    with pytest.raises(ValueError, match='SOME_ROOT into its source'):
        load_config(path)
    monkeypatch.setenv('SOME_ROOT', '/plain/folder')
    assert load_config(path).work_dir == '/plain/folder'


def test_a_mistake_is_one_line_and_traceback_shows_the_rest(config, minicity, tmp_path):
    command = [TOOLS / 'train.py', config('custom_hook = []\n'), '--work-dir', tmp_path / 'run']
    log = run(minicity, *command, fails=True)
    assert log.strip().splitlines()[-1].startswith('error: ') and 'custom_hook: nothing reads this key' in log
    assert 'Traceback' not in log and not (tmp_path / 'run').exists()
    assert 'Traceback (most recent call last)' in run(minicity, *command, '--traceback', fails=True)
