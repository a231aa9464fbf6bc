"""Memory format and compilation change only the speed of networks."""

import copy

import pytest
import torch
from methods import METHODS, training_config, training_of
from processes import run_on_processes
from toolbox import optim_cfg, pair_batch, tiny_adaptor, tiny_config, tiny_segmentor
from torch import nn

from mmuda.checkpoints.publish import publish
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.engine import AdaptorDistributedDataParallel, PerModuleOptimWrapperConstructor
from mmuda.engine.acceleration import compile_networks, compile_options, networks_to_compile, set_memory_format
from mmuda.engine.launch import build_runner
from mmuda.models import BaseAdaptor

EAGER = dict(backend='eager')
"""Options of a compiler that traces networks as usual but does not generate kernels, which would take long."""


def is_channels_last(weight: torch.Tensor) -> bool:
    """Return whether a weight (O, I, h, w) is stored channels-last, if its shape distinguishes the two formats."""
    return weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()


@pytest.mark.parametrize('name', METHODS)
def test_every_method_computes_the_same_channels_last(name, tmp_path, data_roots):
    cfg = training_config(name, tmp_path, data_roots)
    found = []
    for memory_format in ('contiguous', 'channels_last'):
        model, wrappers, batch = training_of(cfg)
        set_memory_format(model, memory_format)
        logs = model.train_step(batch, wrappers)
        found.append((model, {key: value for key, value in logs.items() if 'loss' in key}))
    (plain, expected), (model, losses) = found
    assert isinstance(model, BaseAdaptor) and len(losses) == len(expected) > 0
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=1e-6)
    assert any(is_channels_last(weight) for weight in model.parameters() if weight.dim() == 4)
    assert list(plain.state_dict()) == list(model.state_dict())


def test_every_registered_method_is_among_them():
    def descendants(kind: type) -> set[type]:
        return {kind, *(one for child in kind.__subclasses__() for one in descendants(child))}

    from mmseg.registry import MODELS

    ours = {
        kind.__name__ for kind in descendants(BaseAdaptor) if kind.__module__.split('.')[0] in ('mmuda', 'projects')
    }
    assert {name for name in ours if MODELS.get(name) is not None} <= set(METHODS)


@pytest.mark.parametrize(
    'call, message',
    [
        (lambda: set_memory_format(nn.Conv2d(1, 1, 1), 'nhwc'), r"memory_format='nhwc', expected None or one of"),
        (lambda: compile_options('inductor'), r"compile='inductor', expected True, False or a dict"),
        (lambda: compile_options(dict(mod='x')), r'compile has mod, expected arguments of torch.compile: .*mode'),
    ],
)
def test_what_cannot_be_had_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_options_of_compile_are_mmengines():
    assert compile_options(None) is compile_options(False) is None
    assert compile_options(True) == dict(dynamic=False)
    assert compile_options(dict(dynamic=None, mode='max-autotune')) == dict(dynamic=None, mode='max-autotune')


def test_a_missing_compiler_is_told_before_the_first_iteration(monkeypatch):
    monkeypatch.setenv('PATH', '')
    monkeypatch.delenv('CXX', raising=False)
    with pytest.raises(RuntimeError, match=r'compile needs a C\+\+ compiler on a CPU: none of c\+\+'):
        compile_networks(tiny_adaptor('SourceOnly'), dict(dynamic=False))


def test_students_critics_and_teachers_are_compiled():
    adversary = tiny_adaptor('ADVENT')
    children = [adversary.segmentor, adversary.discriminator, adversary.aux_discriminator]
    assert set(networks_to_compile(adversary)) == set(children)
    taught = tiny_adaptor('DACS', two_levels=False)
    assert set(networks_to_compile(taught)) == {taught.segmentor, taught.teacher.segmentor}


def eager_step(rank: int, option: dict | None) -> dict:
    """Return the weights and losses of a process after one step, with a compiled network if options are given."""
    adaptor = tiny_adaptor('ADVENT', segmentor=tiny_segmentor())
    model = AdaptorDistributedDataParallel(adaptor)
    wrappers = PerModuleOptimWrapperConstructor(optim_cfg(adaptor))(model)
    if option is not None:
        compile_networks(model, compile_options(option))
    logs = model.train_step(copy.deepcopy(pair_batch(rank)), wrappers)
    return dict(weights=adaptor.state_dict(), losses=dict(logs))


@pytest.mark.slow
def test_two_processes_compute_the_same_compiled(tmp_path):
    (tmp_path / 'plain').mkdir()
    (tmp_path / 'compiled').mkdir()
    plain = run_on_processes(eager_step, tmp_path / 'plain', None)
    compiled = run_on_processes(eager_step, tmp_path / 'compiled', EAGER)
    for expected, found in zip(plain, compiled, strict=True):
        assert list(expected['weights']) == list(found['weights']), 'compilation must not change the names of weights'
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def accelerated(minicity, work_dir, iters: int = 2, resume: bool = False, allow=(), **keys) -> BaseAdaptor:
    """Train a tiny DACS with top-level keys of its config; return the model."""
    cfg = tiny_config('dacs', minicity, work_dir, iters=iters, save=1)
    cfg.update(resume=resume, resume_allow=list(allow), **keys)
    runner = build_runner(cfg)
    runner.train()
    return runner.model


def test_a_training_goes_on_in_another_memory_format_if_it_is_allowed(minicity, tmp_path):
    model = accelerated(minicity, tmp_path, memory_format='channels_last')
    assert is_channels_last(model.segmentor.backbone.layer1[0].conv1.weight)
    assert is_channels_last(model.teacher.segmentor.backbone.layer1[0].conv1.weight)
    with pytest.raises(RuntimeError, match='(?s)memory_format: was "channels_last", is null.*--allow memory_format'):
        accelerated(minicity, tmp_path, iters=3, resume=True, allow=['train_cfg.max_iters'])
    again = accelerated(minicity, tmp_path, 3, True, ['train_cfg.max_iters', 'memory_format'])
    assert list(again.state_dict()) == list(model.state_dict())
    assert not is_channels_last(again.segmentor.backbone.layer1[0].conv1.weight)


def test_published_files_do_not_depend_on_the_memory_format(minicity, tmp_path):
    content = read_checkpoint(trained_file(minicity, tmp_path, memory_format='channels_last'))
    published = publish(tmp_path / 'iter_1.pth', tmp_path / 'net.pth')
    content['state_dict'] = {key: value.contiguous() for key, value in content['state_dict'].items()}
    torch.save(content, tmp_path / 'contiguous.pth')
    assert publish(tmp_path / 'contiguous.pth', tmp_path / 'net.pth') == published


def trained_file(minicity, work_dir, **keys):
    """Train one iteration; return the checkpoint."""
    accelerated(minicity, work_dir, 1, **keys)
    return work_dir / 'iter_1.pth'


@pytest.mark.slow
def test_a_compiled_training_is_resumed_exactly_and_read_without_compilation(minicity, tmp_path):
    """Kernels of inductor: a resumed training is exact, and its checkpoint has plain names and close values."""
    whole = accelerated(minicity, tmp_path / 'whole', 3, compile=True).state_dict()
    assert not any('_orig_mod' in key for key in whole)
    accelerated(minicity, tmp_path / 'cut', 2, compile=True)
    allowed = ['train_cfg.max_iters']
    with pytest.raises(RuntimeError, match='(?s)compile: was true, is null.*--allow compile'):
        accelerated(minicity, tmp_path / 'cut', 3, True, allowed)
    resumed = accelerated(minicity, tmp_path / 'cut', 3, True, allowed, compile=True).state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    plain = accelerated(minicity, tmp_path / 'plain', 3).state_dict()
    assert list(plain) == list(whole)
    for name, value in whole.items():
        torch.testing.assert_close(value, plain[name], rtol=1e-2, atol=1e-3, msg=name)
