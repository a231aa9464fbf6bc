"""Facts about other packages that mmuda relies on: one test for each fact in mmuda/internals.py, named after it.

A test that fails after an update shows which fact has changed.
"""

import ast
import importlib
import inspect
import itertools
import pkgutil
import textwrap
from collections import deque
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from commands import TOOLS, options, run
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import BaseModel, BaseModule, update_init_info
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.runner import BaseLoop, Runner, checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.models.decode_heads import FCNHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from toolbox import CONFIGS
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import mmuda
from mmuda import internals

ROOT = Path(mmuda.__file__).parent

DOCUMENTED = {'_exit'}
"""Public names that look private: :func:`os._exit`."""

NAMED_TUPLE = {'_asdict', '_fields', '_make', '_replace'}
"""Public names of every NamedTuple. They begin with an underscore so that they cannot collide with a field."""


class Doubler(BaseModel):
    """A model with one weight, trained by plain mmengine."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, number: list[torch.Tensor], mode: str = 'tensor'):
        doubled = self.weight * torch.stack(number)
        return dict(loss=doubled.sum()) if mode == 'loss' else doubled


class Numbers(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict:
        return dict(number=torch.tensor([float(index)]))


NAMES = itertools.count()


def plain_runner(work_dir: Path, iters: int = 4, hooks: tuple = (), **kwargs) -> Runner:
    """Return a runner of plain mmengine, without any part of mmuda."""
    checkpoint = dict(type='CheckpointHook', interval=1, by_epoch=False, max_keep_ckpts=2)
    return Runner(
        Doubler(),
        str(work_dir),
        train_dataloader=dict(dataset=Numbers(), sampler=dict(type='InfiniteSampler', shuffle=False), batch_size=1),
        train_cfg=dict(by_epoch=False, max_iters=iters),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01), type='OptimWrapper'),
        default_hooks=dict(checkpoint=checkpoint),
        custom_hooks=list(hooks),
        log_level='ERROR',
        default_scope='mmseg',
        experiment_name=f'run{next(NAMES)}',  # runs with the same name and start second would share their logs
        **kwargs,
    )


# No other private names of other packages are used.


def is_private(name: str) -> bool:
    return name.startswith('_') and not name.startswith('__')


def sources() -> dict[Path, ast.Module]:
    paths = [path for path in ROOT.rglob('*.py') if '.mim' not in path.parts]
    return {path: ast.parse(path.read_text(encoding='utf-8')) for path in paths}


def is_self(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == 'super'
    return isinstance(node, ast.Name) and node.id in ('self', 'cls')


def defined_in(tree: ast.Module) -> set[str]:
    """Return the private names that a module itself defines."""
    names = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
            names.add(node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def foreign_names(cls: type) -> set[str]:
    """Return the private names that base classes from other packages define or set."""
    found: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.split('.')[0] in ('mmuda', 'builtins', 'abc', 'typing'):
            continue
        found.update(filter(is_private, vars(base)))
        found.update(self_attributes(base, ast.Store))
    return found


def self_attributes(cls: type, context: type) -> set[str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError):  # written in C
        return set()
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and is_self(node.value) and isinstance(node.ctx, context)
    } & {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and is_private(node.attr)}


def own_classes() -> list[type]:
    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(mmuda.__path__, 'mmuda.')]
    return [
        cls
        for module in modules
        for cls in vars(module).values()
        if inspect.isclass(cls) and cls.__module__ == module.__name__
    ]


def test_no_other_module_uses_private_names_of_other_objects():
    """Modules use ``x._name``, ``from a import _name`` and ``getattr(x, '_name')`` only for names of their own."""
    found = []
    for path, tree in sources().items():
        if path == ROOT / 'internals.py':
            continue
        own = defined_in(tree)
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Attribute) and not is_self(node.value):
                names = [node.attr]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [*node.module.split('.'), *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [part for alias in node.names for part in alias.name.split('.')]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith('attr'):
                names = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            names = [name for name in names if name not in NAMED_TUPLE | DOCUMENTED]
            found += [f'{path.name}:{node.lineno} {name}' for name in names if is_private(name) and name not in own]
    assert not found


def test_no_class_uses_private_names_of_its_bases():
    """Classes use ``self._name`` of a base class from another package only if the name is listed as overridden."""
    classes = own_classes()
    assert len(classes) > 100
    overridden = {(fact.owner, fact.name) for fact in internals.OVERRIDDEN}
    used, found = set(), []
    for cls in classes:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
        methods = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        names = self_attributes(cls, ast.Load) | self_attributes(cls, ast.Store) | set(filter(is_private, methods))
        for name in names & foreign_names(cls):
            facts = {(owner, known) for owner, known in overridden if known == name and issubclass(cls, owner)}
            used |= facts
            if not facts:
                found.append(f'{cls.__module__}.{cls.__name__}.{name}')
    assert not found
    assert used == overridden, 'the list must hold exactly the names that classes override'


@pytest.mark.parametrize('fact', internals.OVERRIDDEN, ids=lambda fact: f'{fact.owner.__name__}.{fact.name}')
def test_overridden(fact):
    assert fact.name in vars(fact.owner), 'the listed class itself must define the name'
    assert tuple(inspect.signature(vars(fact.owner)[fact.name]).parameters) == fact.parameters
    callers = inspect.getsource(inspect.getmodule(fact.owner))
    assert f'self.{fact.name}(' in callers, 'its module must still call it'


def test_every_fact_has_its_test():
    tree = ast.parse((ROOT / 'internals.py').read_text(encoding='utf-8'))
    facts = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        for target in [*getattr(node, 'targets', []), getattr(node, 'target', None)]:
            for name in ast.walk(target) if target is not None else ():
                if isinstance(name, ast.Name):
                    facts.add(name.id)
    assert len(facts) > 20
    missing = {fact for fact in facts if f'test_{fact.lower().strip("_")}' not in globals()}
    assert not missing


# Runners.


def test_runner_arguments():
    parameters = set(inspect.signature(Runner.__init__).parameters) - {'self'}
    assert parameters == internals.RUNNER_ARGUMENTS, (
        'add new arguments to RUNNER_ARGUMENTS: a stage of a StagedRunner drops top-level keys that it does not list'
    )


def test_set_timestamp(tmp_path):
    class Named(Runner):
        def setup_env(self, env_cfg: dict) -> None:
            super().setup_env(env_cfg)
            internals.set_timestamp(self, 'now')

    runner = Named(Doubler(), str(tmp_path), experiment_name='trial', log_level='ERROR', default_scope='mmseg')
    assert runner.timestamp == 'now' and runner.experiment_name == 'trial_now'
    assert runner.message_hub.instance_name == 'trial_now' and runner.log_dir == str(tmp_path / 'now')


def test_has_loaded(tmp_path):
    runner = plain_runner(tmp_path)
    assert not internals.has_loaded(runner)
    torch.save(dict(state_dict=Doubler().state_dict()), tmp_path / 'a.pth')
    runner.load_checkpoint(str(tmp_path / 'a.pth'))
    assert internals.has_loaded(runner)


def test_mark_loaded(tmp_path):
    runner = plain_runner(tmp_path, load_from=str(tmp_path / 'nowhere.pth'))
    internals.mark_loaded(runner)
    runner.load_or_resume()  # otherwise it would look for the file
    assert internals.has_loaded(runner)


def test_resume_option(tmp_path):
    assert internals.resume_option(plain_runner(tmp_path)) is False
    assert internals.resume_option(plain_runner(tmp_path, resume='some.pth')) == 'some.pth'


def test_load_from_option(tmp_path):
    assert internals.load_from_option(plain_runner(tmp_path)) is None
    assert internals.load_from_option(plain_runner(tmp_path, load_from='some.pth')) == 'some.pth'


def test_is_training(tmp_path):
    seen = []

    class Look(Runner):
        def load_or_resume(self) -> None:
            seen.append(internals.is_training(self))
            super().load_or_resume()

    runner = plain_runner(tmp_path, iters=1)
    runner.__class__ = Look
    assert not internals.is_training(runner)
    runner.train()
    assert seen == [True], 'train() must build the loop before it loads weights'
    assert isinstance(runner.train_loop, BaseLoop)


def test_configured_seed(tmp_path):
    assert internals.configured_seed(plain_runner(tmp_path, randomness=dict(seed=7))) == 7
    runner = plain_runner(tmp_path)
    assert internals.configured_seed(runner) is None and runner.seed is not None


# Hooks.


def test_kept_checkpoints(tmp_path):
    runner = plain_runner(tmp_path, iters=3)
    runner.train()
    hook = next(hook for hook in runner.hooks if isinstance(hook, CheckpointHook))
    assert internals.kept_checkpoints(hook) == deque([2, 3])
    assert runner.message_hub.get_info('keep_ckpt_ids') == [2, 3]
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['iter_2.pth', 'iter_3.pth']
    resumed = plain_runner(tmp_path, iters=4, resume=True)
    resumed.train()
    hook = next(hook for hook in resumed.hooks if isinstance(hook, CheckpointHook))
    assert internals.kept_checkpoints(hook) == deque([3, 4])


def test_default_rule_keys(tmp_path):
    """Each metric name is in one of the two lists, and ``save_best`` keeps the greatest or least value accordingly."""
    greater, less = internals.default_rule_keys()
    for names, rule in ((greater, 'greater'), (less, 'less')):
        for name in names:
            hook = CheckpointHook(interval=1, by_epoch=False, save_best=name)
            assert hook.rules == [rule], name


def test_hooks_add_to_the_content_before_it_is_written(tmp_path):
    """Hooks change a checkpoint within ``Runner.call_hook``: ``AdaptationRunner.call_hook`` relies on this order."""

    class Add(Hook):
        def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
            checkpoint['number'] = 1
            seen.append({'state_dict', 'meta', 'message_hub', 'optimizer', 'param_schedulers'} <= set(checkpoint))

    class Last(Runner):
        def call_hook(self, fn_name: str, **kwargs) -> None:
            super().call_hook(fn_name, **kwargs)
            if fn_name == 'before_save_checkpoint':
                kwargs['checkpoint']['number'] += 1

    seen: list[bool] = []
    runner = plain_runner(tmp_path, iters=1, hooks=(Add(),))
    runner.__class__ = Last
    runner.param_schedulers = []
    runner.train()
    assert seen == [True]
    assert mmuda.checkpoints.read_checkpoint(tmp_path / 'iter_1.pth')['number'] == 2


# Optimizer wrappers.


def wrapper(counts: int) -> OptimWrapper:
    return OptimWrapper(torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0), accumulative_counts=counts)


def test_count_iteration():
    one = wrapper(2)
    should = []
    for _ in range(4):
        should.append((one.should_sync(), one.should_update()))
        internals.count_iteration(one)
    assert [sync for sync, _ in should] == [False, True, False, True]
    assert [update for _, update in should] == [True, False, True, False], 'it must depend on the counted iterations'
    assert one.should_update()


def test_accumulative_counts():
    assert [internals.accumulative_counts(wrapper(counts)) for counts in (1, 3)] == [1, 3]


# Log histories.


def test_records_init():
    """mmengine records initialisations while ``init_weights`` runs, and neither before nor after it."""

    class Layer(BaseModule):
        def init_weights(self) -> None:
            seen.append(internals.records_init(self))
            super().init_weights()

    seen: list[bool] = []
    model = nn.Sequential(Layer())
    outer = BaseModule()
    outer.layer = model[0]
    before = internals.records_init(outer.layer)
    outer.init_weights()
    assert (before, seen, internals.records_init(outer.layer)) == (False, [True], False)
    with pytest.raises(AssertionError):
        update_init_info(outer.layer, init_info='from nowhere')


def test_history_state():
    buffer = HistoryBuffer(max_length=3)
    for value in (0.5, 1.5, 2.5, 3.5):
        buffer.update(value, 2)
    log, count, max_length = internals.history_state(buffer)
    assert log.tolist() == [1.5, 2.5, 3.5] and count.tolist() == [2, 2, 2] and max_length == 3
    pickled = buffer.__dict__
    assert set(pickled) == set(internals.HISTORY_STATE), 'HISTORY_STATE must name the attributes of a pickled history'
    for name, value in zip(internals.HISTORY_STATE, (log, count, max_length), strict=True):
        np.testing.assert_array_equal(pickled[name], value)


def test_make_history():
    for dtype in (np.float64, np.int64):
        buffer = internals.make_history(np.arange(3, dtype=dtype), np.ones(3, dtype), 5)
        assert [part.dtype for part in buffer.data] == [dtype] * 2 and buffer.max_length == 5
        assert buffer.statistics('mean') == 1 and buffer.current() == 2


def test_the_message_hub_takes_log_histories_only():
    """The message hub ignores log scalars that are no HistoryBuffer: ``restore_histories`` must build them."""
    hub = MessageHub.get_instance('test_internals')
    hub.load_state_dict(
        dict(
            log_scalars=dict(loss=HistoryBuffer([1.0], [1]), other=dict(log=[1.0])),
            runtime_info=dict(iter=3),
            resumed_keys=dict(loss=True),
        )
    )
    assert hub.get_scalar('loss').current() == 1 and 'other' not in hub.log_scalars and hub.get_info('iter') == 3


# Loaders.


def test_checkpoint_loaders():
    before = CheckpointLoader._schemes
    try:
        CheckpointLoader.register_scheme('shelf://', lambda filename, map_location=None: filename)
        assert internals.checkpoint_loaders()['shelf://']('shelf://a') == 'shelf://a'
        assert {'', 'http://', 'https://', 'open-mmlab://'} <= set(internals.checkpoint_loaders())
    finally:
        CheckpointLoader._schemes = {key: value for key, value in before.items() if key != 'shelf://'}


@pytest.mark.parametrize('name', internals.FINAL_LOADERS)
def test_final_loaders(name, monkeypatch, tmp_path):
    """The loaders of mmengine for other prefixes look these functions up as globals of their module."""
    calls = []
    monkeypatch.setattr(mmengine_checkpoint, name, lambda *args, **kwargs: calls.append(args[0]) or {})
    torch.save({}, tmp_path / 'a.pth')
    models = dict(url='https://example.invalid/a.pth', file=str(tmp_path / 'a.pth'))
    monkeypatch.setattr(mmengine_checkpoint, 'get_external_models', lambda: models)
    original = inspect.unwrap(internals.checkpoint_loaders()['open-mmlab://'])
    assert original.__module__ == 'mmengine.runner.checkpoint'
    if name == 'load_from_http':
        original('open-mmlab://url')
        assert calls == [models['url']]
    elif name == '_safe_torch_load':
        original('open-mmlab://file')
        assert calls == [models['file']]
    else:  # for callers that import it from there
        assert callable(getattr(mmengine_checkpoint, name))
        assert mmengine_checkpoint.load_from_local('a.pth') == {} and calls == ['a.pth']


def test_replace_final_loaders():
    before = mmengine_checkpoint.load_from_local
    try:
        internals.replace_final_loaders(dict(load_from_local=len))
        assert mmengine_checkpoint.load_from_local is len
    finally:
        internals.replace_final_loaders(dict(load_from_local=before))
    with pytest.raises(KeyError, match='load_checkpoint is none of load_from_local'):
        internals.replace_final_loaders(dict(load_checkpoint=len))


def test_resuming_goes_through_load_checkpoint(tmp_path):
    """``Runner.resume`` uses the checkpoint returned by ``load_checkpoint``, which ``AdaptationRunner`` completes."""
    plain_runner(tmp_path, iters=2).train()
    loaded = []

    class Recording(Runner):
        def load_checkpoint(self, *args, **kwargs) -> dict:
            loaded.append(super().load_checkpoint(*args, **kwargs))
            loaded[-1]['meta']['iter'] = 1
            return loaded[-1]

    runner = plain_runner(tmp_path, iters=2)
    runner.__class__ = Recording
    runner.resume(str(tmp_path / 'iter_2.pth'))
    assert len(loaded) == 1 and runner.iter == 1


# Properties of configs, models and metrics of mmengine: documented, but easily lost in an update.


def test_a_config_has_the_methods_of_a_dict():
    cfg = Config(dict(a=dict(b=1), c=[2]))
    assert dict(cfg.items()) == {'a': {'b': 1}, 'c': [2]}


def test_a_metric_keeps_the_meta_information_behind_a_property():
    class Metric(BaseMetric):
        def process(self, data_batch, data_samples) -> None: ...

        def compute_metrics(self, results) -> dict:
            return {}

    metric = Metric()
    assert metric.dataset_meta is None
    BaseMetric.dataset_meta.fset(metric, dict(classes=['a']))
    assert metric.dataset_meta == dict(classes=['a'])


# The log.


def test_long_records(minicity, tmp_path):
    """The log of a training holds all listed records. It runs in a fresh process, since some are logged only once."""
    few = ['train_cfg.max_iters=4', 'train_cfg.val_interval=2', *options('source_only')[1:3]]
    command = [TOOLS / 'train.py', CONFIGS / 'source_only/minicity.py', '--work-dir', tmp_path, '--cfg-options']
    run(minicity, *command, *few, 'model.segmentor.decode_head.in_channels=32', 'train_dataloader.batch_size=2')
    (log,) = tmp_path.glob('*/*.log')
    text = log.read_text()
    for beginning in internals.LONG_RECORDS:
        assert f'INFO - {beginning}' in text or f'WARNING - {beginning}' in text, beginning


# Images.


# Heads.


@pytest.fixture(autouse=True)
def scope() -> None:
    init_default_scope('mmseg')


def fcn_head(**kwargs) -> FCNHead:
    return FCNHead(
        in_channels=4, channels=4, num_classes=3, num_convs=1, in_index=1, norm_cfg=dict(type='BN'), **kwargs
    ).eval()


def test_head_inputs():
    features = [torch.ones(1, 4, 8, 8), torch.zeros(1, 4, 4, 4)]
    assert internals.head_inputs(fcn_head(), features) is features[1]
    both = FCNHead(
        in_channels=[4, 4], channels=4, num_classes=3, in_index=[0, 1], input_transform='resize_concat', num_convs=1
    )
    assert internals.head_inputs(both, features).shape == (1, 8, 8, 8)


def test_has_usual_predict():
    class Own(FCNHead):
        def predict(self, *args, **kwargs):
            return None

    assert internals.has_usual_predict(fcn_head())
    assert not internals.has_usual_predict(Own(in_channels=4, channels=4, num_classes=3, num_convs=1))
    assert not internals.has_usual_predict(nn.Conv2d(1, 1, 1))
    head, features = fcn_head(), [torch.rand(1, 4, 8, 8), torch.rand(1, 4, 4, 4)]
    with torch.no_grad():
        logits = BaseDecodeHead.predict(head, features, [dict(img_shape=(16, 20))], {})
        expected = nn.functional.interpolate(head(features), (16, 20), mode='bilinear')
    torch.testing.assert_close(logits, expected)


# PyTorch: modules and tensors.


def test_batchnorm():
    for layer in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.LazyBatchNorm2d):
        assert issubclass(layer, internals.BatchNorm)
    assert not any(issubclass(layer, internals.BatchNorm) for layer in (nn.GroupNorm, nn.LayerNorm))


@pytest.fixture
def group(tmp_path):
    """Create a process group with one process."""
    dist.init_process_group('gloo', init_method=f'file://{tmp_path}/group', rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_sync_buffers(group):
    for sync in (True, False):
        model = DistributedDataParallel(nn.BatchNorm1d(2), **{internals.SYNC_BUFFERS: sync})
        assert model.will_sync_module_buffers() == sync


def test_syncs_gradients(group):
    model = DistributedDataParallel(nn.Linear(1, 1))
    assert internals.syncs_gradients(model) and not internals.syncs_gradients(nn.Linear(1, 1))
    with model.no_sync():
        assert not internals.syncs_gradients(model)
    assert internals.syncs_gradients(model)


def test_set_gradient_sync(group):
    """The switch acts like ``no_sync()``: while it is off, a backward pass does not average gradients."""
    model = DistributedDataParallel(nn.Linear(1, 1))
    reduced = []
    model.register_comm_hook(None, lambda state, bucket: reduced.append(1) or done(bucket))
    for sync, expected in ((True, 1), (False, 1), (True, 2)):
        internals.set_gradient_sync(model, sync)
        model(torch.ones(1, 1)).sum().backward()
        assert len(reduced) == expected
    with model.no_sync():
        pass
    assert internals.syncs_gradients(model)


def done(bucket) -> torch.futures.Future:
    future: torch.futures.Future = torch.futures.Future()
    future.set_result(bucket.buffer())
    return future


def test_version_of():
    weight = nn.Parameter(torch.ones(2))
    (weight * 2).sum().backward()
    before = internals.version_of(weight.grad)
    weight.grad.sum()
    assert internals.version_of(weight.grad) == before
    (weight * 2).sum().backward()
    assert internals.version_of(weight.grad) > before, 'gradients must be added in place'


@pytest.mark.parametrize('alpha', [1.0, -0.5])
def test_add_each(alpha):
    tensors, others = [torch.ones(2), torch.zeros(3)], [torch.full((2,), 4.0), torch.arange(3.0)]
    same = tensors[0]
    sums = internals.add_each(tensors, others, alpha)
    assert same.tolist() == [1, 1] and [one.tolist() for one in sums] == [[1 + 4 * alpha] * 2, [0, alpha, 2 * alpha]]
    internals.add_each_(tensors, others, alpha)
    assert tensors[0] is same and tensors[0].tolist() == [1 + 4 * alpha] * 2
    assert tensors[1].tolist() == [0, alpha, 2 * alpha]


def test_copy_each():
    tensors = [torch.ones(2), torch.tensor(7)]
    same = tensors[1]
    internals.copy_each_(tensors, [torch.arange(2.0), torch.tensor(3)])
    assert tensors[0].tolist() == [0, 1] and tensors[1] is same and same.item() == 3
    internals.copy_each_([], [])


def test_multiply_each():
    tensors = [torch.ones(2), torch.arange(3.0)]
    internals.multiply_each_(tensors, 0.5)
    assert [one.tolist() for one in tensors] == [[0.5, 0.5], [0, 0.5, 1]]


# PyTorch: files.


def members(path: Path) -> set[str]:
    import zipfile

    return {Path(name).name for name in zipfile.ZipFile(path).namelist()}


def test_archive_pickle(tmp_path):
    torch.save({}, tmp_path / 'a.pth')
    assert internals.ARCHIVE_PICKLE in members(tmp_path / 'a.pth')
    assert internals.TORCHSCRIPT_PICKLE not in members(tmp_path / 'a.pth')


def test_torchscript_pickle(tmp_path):
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), tmp_path / 'a.pt')
    assert {internals.ARCHIVE_PICKLE, internals.TORCHSCRIPT_PICKLE} <= members(tmp_path / 'a.pt')


def test_legacy_magic(tmp_path):
    torch.save({}, tmp_path / 'a.pth', _use_new_zipfile_serialization=False)
    assert internals.LEGACY_MAGIC in (tmp_path / 'a.pth').read_bytes()[:64]


def test_state_dict_attributes():
    state = nn.BatchNorm2d(2).state_dict()
    assert set(vars(state)) == internals.STATE_DICT_ATTRIBUTES and state._metadata[''] == dict(version=2)


def test_force_weights_only(tmp_path, monkeypatch):
    torch.save(dict(a=nn.ReLU()), tmp_path / 'a.pth')
    assert torch.load(tmp_path / 'a.pth', weights_only=False)
    monkeypatch.setenv(internals.FORCE_WEIGHTS_ONLY, '1')
    with pytest.raises(Exception, match='Weights only load failed'):
        torch.load(tmp_path / 'a.pth', weights_only=False)


class Stood:
    """A class that takes the name of another one."""


def test_safe_name(tmp_path):
    """`torch.load` finds allowed classes by module and qualified name, so another class can replace one of them."""
    torch.save(dict(a=nn.ReLU), tmp_path / 'a.pth')
    Stood.__module__, Stood.__qualname__ = nn.ReLU.__module__, nn.ReLU.__qualname__
    Stood.__name__ = nn.ReLU.__name__  # PyTorch 2.6 finds it by this name
    assert internals.safe_name(Stood) == internals.safe_name(nn.ReLU) == 'torch.nn.modules.activation.ReLU'
    assert internals.safe_name((Stood, 'some.where')) == 'some.where'
    with torch.serialization.safe_globals([Stood]):
        assert torch.load(tmp_path / 'a.pth', weights_only=True)['a'] is Stood


def error_of(path: Path) -> Exception:
    with pytest.raises(Exception) as caught:
        torch.load(path, weights_only=True)
    return caught.value


def test_refused_global(tmp_path):
    torch.save(dict(a=nn.ReLU()), tmp_path / 'a.pth')
    assert internals.refused_global(str(error_of(tmp_path / 'a.pth'))) == 'torch.nn.modules.activation.ReLU'
    torch.save(dict(a=torch.ones(1)), tmp_path / 'b.pth', pickle_protocol=4)
    assert internals.refused_global(str(error_of(tmp_path / 'b.pth'))) is None


def test_refusal(tmp_path):
    torch.save(dict(a=torch.ones(1)), tmp_path / 'a.pth', pickle_protocol=4)
    assert internals.refusal(str(error_of(tmp_path / 'a.pth'))) == 'Unsupported operand 149'


def test_names_weights_only(tmp_path):
    import io
    import tarfile

    with tarfile.open(tmp_path / 'old.pth', 'w', format=tarfile.PAX_FORMAT) as archive:  # the format of PyTorch 0.1
        for name in ('sys_info', 'pickle', 'storages', 'tensors'):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert internals.names_weights_only(error_of(tmp_path / 'old.pth'))
    (tmp_path / 'cut.pth').write_bytes(b'PK\x03\x04 torn')
    assert not internals.names_weights_only(RuntimeError('PytorchStreamReader failed reading zip archive'))


def test_replace_state_dict_loader(monkeypatch, tmp_path):
    """All loading functions of mmengine look ``load_state_dict`` up when they call it."""
    seen = []
    monkeypatch.setattr(
        mmengine_checkpoint, 'load_state_dict', mmengine_checkpoint.load_state_dict
    )  # so that monkeypatch restores it
    internals.replace_state_dict_loader(lambda module, state, strict, logger: seen.append(sorted(state)))
    torch.save(dict(state_dict=dict(weight=torch.ones(1))), tmp_path / 'a.pth')
    mmengine_checkpoint.load_checkpoint(nn.Linear(1, 1), str(tmp_path / 'a.pth'))
    mmengine_checkpoint._load_checkpoint_to_model(nn.Linear(1, 1), dict(state_dict=dict(bias=torch.ones(1))))
    assert seen == [['weight'], ['bias']]


def test_built_loops(tmp_path):
    runner = plain_runner(tmp_path)
    assert internals.built_loops(runner) == []
    runner.train()
    assert internals.built_loops(runner) == [runner.train_loop]


def answers_late(rank: int) -> bool:
    import datetime
    import time

    import torch.distributed as dist

    group = dist.new_group(backend='gloo', timeout=datetime.timedelta(seconds=1))
    if rank == 1:
        time.sleep(5)
        return True
    try:
        dist.all_reduce(torch.ones(1), group=group)
    except RuntimeError as error:
        return internals.is_timeout(error)
    return False


def test_is_timeout(tmp_path):
    from processes import run_on_processes

    assert run_on_processes(answers_late, tmp_path) == [True, True]
    assert not internals.is_timeout(RuntimeError('CUDA out of memory'))


def test_copy_without_waiting():
    from mmengine.model import BaseDataPreprocessor

    class Asked(torch.Tensor):
        def to(self, *args, **kwargs):
            return kwargs

    preprocessor = BaseDataPreprocessor()
    assert preprocessor.cast_data(Asked()) == dict(non_blocking=False)
    internals.copy_without_waiting(preprocessor)
    assert preprocessor.cast_data(Asked()) == dict(non_blocking=True)


def test_converts_channels():
    from mmengine.model import BaseDataPreprocessor
    from mmseg.models.data_preprocessor import SegDataPreProcessor

    assert internals.converts_channels(SegDataPreProcessor()) is False
    assert internals.converts_channels(SegDataPreProcessor(bgr_to_rgb=True)) is True
    assert internals.converts_channels(BaseDataPreprocessor()) is None


def test_default_hooks(tmp_path):
    runner = Runner(model=Doubler(), work_dir=str(tmp_path), experiment_name='hooks')
    found = {type(hook).__name__ for hook in runner.hooks}
    assert found == set(internals.DEFAULT_HOOKS.values())
