"""Stages run in order, get results of earlier stages by name, and are resumed after an interruption."""

import json
import time
import warnings
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.dist import all_gather_object, is_main_process
from processes import run_on_processes

from mmuda.engine.launch import apply_options, build_runner
from mmuda.registry import STAGES
from mmuda.stages import Stage, StagedRunner, network_config

FAILING = set()
"""Names of stages that are interrupted."""


@STAGES.register_module(force=True)
class AppendStage(Stage):
    """A stage that appends a text to the output of an earlier stage. It is interrupted if its name is in `FAILING`."""

    def __init__(self, name: str, text: str, after: str = None) -> None:
        super().__init__(name)
        self.text, self.after = text, after

    def settings(self, ctx) -> dict:
        return dict(text=self.text, after=self.after)

    def execute(self, ctx, folder: Path, resume: bool) -> dict:
        before = Path(ctx.resolve(self.after)).read_text() if self.after else ''
        (folder / 'calls').open('a').write('resumed ' if resume else 'fresh ')
        if self.name in FAILING:
            raise KeyboardInterrupt
        (folder / 'out').write_text(before + self.text)
        return dict(metrics=dict(mIoU=12.34))


@STAGES.register_module(force=True)
class WeightsStage(AppendStage):
    """A stage that uses the network of another stage."""

    def __init__(self, name: str, weights: str) -> None:
        super().__init__(name, 'w')
        self.weights = weights


def config(tmp_path, **changes) -> Config:
    return Config(
        {
            **dict(
                runner_type='StagedRunner',
                work_dir=str(tmp_path / 'run'),
                stages=['a', 'b', dict(type='AppendStage', name='deep/c', text='c', after='{b}/out')],
                a=dict(type='AppendStage', text='a'),
                b=dict(type='AppendStage', text='b', after='{a}/out'),
            ),
            **changes,
        }
    )


@pytest.fixture(autouse=True)
def nothing_fails():
    FAILING.clear()


def read(tmp_path, name: str) -> str:
    return (tmp_path / 'run' / name).read_text()


def test_all_stages_run_in_order(tmp_path):
    runner = build_runner(config(tmp_path))
    assert isinstance(runner, StagedRunner)
    runner.train()
    assert read(tmp_path, 'deep/c/out') == 'abc'
    ledger = json.loads(read(tmp_path, 'ledger.json'))['stages']
    assert [entry['status'] for entry in ledger.values()] == ['done'] * 3
    assert '12.3' in read(tmp_path, 'stages.log')


def test_a_resumed_run_skips_and_goes_on(tmp_path):
    FAILING.add('b')
    with pytest.raises(KeyboardInterrupt):
        build_runner(config(tmp_path)).train()
    assert not (tmp_path / 'run/b/out').exists()
    FAILING.clear()
    build_runner(config(tmp_path, resume=True)).train()
    assert read(tmp_path, 'deep/c/out') == 'abc'
    assert [read(tmp_path, f'{name}/calls') for name in ('a', 'b', 'deep/c')] == ['fresh ', 'fresh resumed ', 'fresh ']


@STAGES.register_module(force=True)
class SharedStage(AppendStage):
    """A stage whose main process writes. Every process learns what all of them have seen."""

    def execute(self, ctx, folder: Path, resume: bool) -> dict:
        before = Path(ctx.resolve(self.after)).read_text() if self.after else ''
        seen = all_gather_object([self.name, before])
        if is_main_process():
            (folder / 'out').write_text(before + self.text)
        return dict(metrics=dict(mIoU=12.34), seen=seen)


def staged(rank: int, folder: str) -> dict:
    names = ['a', 'b', 'c']
    stages = {name: dict(type='SharedStage', text=name) for name in names}
    stages['b']['after'], stages['c']['after'] = '{a}/out', '{b}/out'
    runner = build_runner(config(Path(folder), stages=names, **stages))
    runner.train()
    return {name: runner.ctx.ledger.result(name)['seen'] for name in names}


def test_two_processes_run_stages_that_need_each_other(tmp_path):
    """Every process takes part in the same decisions. A stage of the same run is not verified by some of them alone."""
    wanted = {name: [[name, before]] * 2 for name, before in (('a', ''), ('b', 'a'), ('c', 'ab'))}
    assert run_on_processes(staged, tmp_path, str(tmp_path)) == [wanted, wanted]
    assert read(tmp_path, 'c/out') == 'abc'


def test_without_resume_an_earlier_run_is_kept_aside(tmp_path):
    build_runner(config(tmp_path)).train()
    build_runner(config(tmp_path, a=dict(type='AppendStage', text='A'))).train()
    assert read(tmp_path, 'deep/c/out') == 'Abc'
    (aside,) = (tmp_path / 'run').glob('before_*')
    assert (aside / 'deep/c/out').read_text() == 'abc'


def test_a_training_without_stages_is_kept_aside_and_never_resumed(tmp_path):
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/iter_6.pth').write_bytes(b'of a single training')
    with pytest.raises(
        RuntimeError, match=r'iter_6.pth comes from a training without stages.* the stages a, b, deep/c'
    ):
        build_runner(config(tmp_path, resume=True)).train()
    build_runner(config(tmp_path)).train()
    assert read(tmp_path, 'deep/c/out') == 'abc'
    (aside,) = (tmp_path / 'run').glob('before_*/iter_6.pth')
    assert aside.read_bytes() == b'of a single training' and not (tmp_path / 'run/iter_6.pth').exists()


def test_runs_that_start_in_the_same_second_are_kept_aside_each(tmp_path, monkeypatch):
    monkeypatch.setattr(time, 'strftime', lambda *args: '20260101_000000')
    for text in 'abcd':
        build_runner(config(tmp_path, a=dict(type='AppendStage', text=text))).train()
    asides = (tmp_path / 'run').glob('before_*')
    assert (
        sorted((aside / 'a/out').read_text() for aside in asides) == ['a', 'b', 'c'] and read(tmp_path, 'a/out') == 'd'
    )


def test_a_changed_stage_is_noticed_before_anything_runs(tmp_path):
    build_runner(config(tmp_path)).train()
    changed = config(tmp_path, resume=True, b=dict(type='AppendStage', text='B', after='{a}/out'))
    with pytest.raises(RuntimeError, match=r"(?s)stage 'b'.*text: was \"b\", is \"B\".*--restart-from b"):
        build_runner(changed).train()
    build_runner(changed).train(restart_from='b')
    assert read(tmp_path, 'deep/c/out') == 'aBc' and read(tmp_path, 'a/calls') == 'fresh '


def test_what_was_made_from_an_earlier_run_is_noticed(tmp_path):
    build_runner(config(tmp_path)).train()
    changed = dict(b=dict(type='AppendStage', text='B', after='{a}/out'))
    build_runner(config(tmp_path, stages=['a', 'b'], **changed)).train(restart_from='b')
    with pytest.raises(
        RuntimeError, match=r"(?s)stage 'deep/c'.*b has changed since this stage was started.*--restart-from deep/c"
    ):
        build_runner(config(tmp_path, resume=True, **changed)).train()
    build_runner(config(tmp_path, **changed)).train(restart_from='deep/c')
    assert read(tmp_path, 'deep/c/out') == 'aBc'


def test_a_kill_while_an_earlier_run_is_set_aside(tmp_path, monkeypatch):
    build_runner(config(tmp_path)).train()
    with monkeypatch.context() as patched:
        patched.setattr('mmuda.files.shutil.move', lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build_runner(config(tmp_path)).train(restart_from='b')
    build_runner(config(tmp_path, resume=True)).train()
    assert read(tmp_path, 'deep/c/out') == 'abc'
    assert [read(tmp_path, f'{name}/calls') for name in ('a', 'b', 'deep/c')] == ['fresh '] * 3


def test_a_done_stage_whose_folder_is_gone(tmp_path):
    import shutil

    build_runner(config(tmp_path)).train()
    shutil.rmtree(tmp_path / 'run/b')
    with pytest.raises(RuntimeError, match="'b' is done, but its folder .* is gone.*--restart-from b"):
        build_runner(config(tmp_path, resume=True)).train()


def test_a_part_runs_if_what_it_needs_is_there(tmp_path):
    with pytest.raises(RuntimeError, match=r"'b' needs results of a.*--stages a,b"):
        build_runner(config(tmp_path)).train(only=['b'])
    build_runner(config(tmp_path)).train(only=['a', 'b'])
    assert not (tmp_path / 'run/deep').exists()
    build_runner(config(tmp_path)).train(only=['deep'])
    assert read(tmp_path, 'deep/c/out') == 'abc' and read(tmp_path, 'a/calls') == 'fresh '
    with pytest.raises(KeyError, match="no stage 'd'.*deep/c"):
        build_runner(config(tmp_path)).train(only=['d'])


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(stages=[]), 'needs stages'),
        (dict(stages=['a', 'x']), "lists 'x', but .* has no stage x = dict"),
        (dict(stages=['a', 'model'], model=dict(type='A')), "lists 'model'"),
        (dict(stages=['b', 'a']), "'b' refers to a, which is no stage before it"),
        (dict(stages=['a', 'a']), 'the same name'),
        (dict(stages=['a'], a=dict(type='AppendStage', text='{nobody}/x')), 'refers to nobody'),
        (dict(stages=[dict(type='AppendStage', name='../a', text='')]), 'cannot be the name'),
    ],
)
def test_mistakes_are_told_before_the_first_stage(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        build_runner(config(tmp_path, **changes))


def test_a_bare_name_of_a_stage_as_in_earlier_versions(tmp_path):
    after = dict(type='AppendStage', name='c', text='c')
    cfg = config(tmp_path, stages=['a', dict(type='WeightsStage', name='b', weights='a'), after])
    with pytest.warns(FutureWarning, match=r"stage 'b': weights='a' is read as '{a}'.*write it with braces"):
        runner = build_runner(cfg)
    assert runner.ctx.stages['b'].weights == '{a}'
    cfg.stages[1].weights = '{a}'
    with warnings.catch_warnings():
        warnings.simplefilter('error', FutureWarning)
        assert build_runner(cfg).ctx.stages['b'].weights == '{a}'


def test_options_reach_a_stage_by_its_name(tmp_path):
    cfg = config(tmp_path)
    apply_options(cfg, {'b.text': 'X'})
    build_runner(cfg).train()
    assert read(tmp_path, 'deep/c/out') == 'aXc'
    with pytest.raises(KeyError, match="'txt' does not exist in b; did you mean text"):
        apply_options(cfg, {'b.txt': 'X'})


def test_the_network_is_that_of_the_last_training(tmp_path):
    cfg = config(
        tmp_path,
        stages=['first', 'second'],
        model=dict(type='A', width=1),
        train_cfg=dict(max_iters=3),
        unused=3,
        first=dict(type='TrainStage'),
        second=dict(type='TrainStage', overrides=dict(model=dict(width=2)), weights='first'),
    )
    assert network_config(cfg).model == dict(type='A', width=2)
    assert network_config(cfg, 'first').model == dict(type='A', width=1)
    assert 'unused' not in network_config(cfg) and network_config(cfg).runner_type == 'AdaptationRunner'
    with pytest.raises(KeyError, match="no training stage 'third'.*first, second"):
        network_config(cfg, 'third')
    plain = Config(dict(model=dict(type='A')))
    assert network_config(plain) is plain
    with pytest.raises(KeyError, match='has no stages'):
        network_config(plain, 'first')
