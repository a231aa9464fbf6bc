"""Checks of mmuda on a device: the parts of gpu_check.py that do not measure."""

import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from plain_step import METHODS, batch, build, training_of

ROOT = Path(__file__).resolve().parents[1]
SLACK = 20.0
"""Factor by which a GPU may miss the tolerances of the golden checks, which are made for a CPU."""


class Results:
    """Results up to now, in a JSON file that is valid at any time.

    Attributes:
        content: ``machine``, ``parts`` and ``steps``. ``parts`` has for each name the status, the seconds, and facts or
            the reason of a failure. ``steps`` is a list of figures.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else dict(parts={}, steps=[])

    def write(self) -> None:
        from mmuda.files import write_json

        write_json(self.path, self.content)


class Context:
    """Device, size and deadline of a part.

    Attributes:
        device: ``'cuda'`` or ``'cpu'``.
        toy: Whether networks and images are small.
        deadline: Time at which the part must end, as of :func:`time.time`.
        results: Store of the figures.
    """

    def __init__(self, device: str, toy: bool, deadline: float, results: Results) -> None:
        self.device, self.toy, self.deadline, self.results = device, toy, deadline, results

    @property
    def pair(self) -> str:
        """Pair of the configs whose steps are measured."""
        return 'minicity' if self.toy else 'gta2city'

    def seconds_left(self) -> float:
        return self.deadline - time.time()


def check_no_sync(ctx: Context) -> dict:
    """Train two steps of every method, then one in which each wait for the GPU is an error, on small networks."""
    sys.path.insert(0, str(ROOT / 'tests'))
    from syncing import KNOWN, reads_of

    waited = {}
    for name in METHODS:
        for variant in ('mmuda', 'mmuda+bfloat16'):
            step, model = build(name, variant, 'minicity', ctx.device)
            data = toy_batch(name, model, ctx.device)
            for _ in range(2):
                step(copied(data))
            if ctx.device == 'cuda':
                waited[f'{name} {variant}'] = sorted(waits_on_gpu(step, copied(data), KNOWN))
            else:
                with reads_of([*model.parameters(), *model.buffers()]) as found:
                    step(copied(data))
                waited[f'{name} {variant}'] = sorted({place for function, place in found if function not in KNOWN})
    unexpected = {key: places for key, places in waited.items() if places}
    assert not unexpected, f'steps wait for the device: {unexpected}'
    return dict(steps=len(waited), known=KNOWN)


def waits_on_gpu(step: Callable[[dict], Any], data: dict, known: dict[str, str]) -> set[str]:
    """Run a step in which waits for the GPU are errors, except in known functions, and return the places of waits."""
    from mmuda.models.adaptors import sim

    allowed = {name: vars(sim)[name] for name in known if name in vars(sim)}
    with mock.patch.multiple(sim, **{name: may_wait(function) for name, function in allowed.items()}):
        torch.cuda.set_sync_debug_mode('error')
        try:
            step(data)
        except RuntimeError as error:
            if 'synchroniz' not in str(error):
                raise
            ours = [frame for frame in traceback.extract_tb(error.__traceback__) if '/mmuda/' in frame.filename]
            return {f'{ours[-1].filename}:{ours[-1].lineno} {ours[-1].line}' if ours else str(error)}
        finally:
            torch.cuda.set_sync_debug_mode('default')
    return set()


def may_wait(function: Callable) -> Callable:
    """Return a function during which waits for the GPU are allowed."""

    def run(*args: Any, **kwargs: Any) -> Any:
        torch.cuda.set_sync_debug_mode('default')
        try:
            return function(*args, **kwargs)
        finally:
            torch.cuda.set_sync_debug_mode('error')

    return run


def check_golden(ctx: Context) -> dict:
    """Run the golden trajectories of tests/parity with their steps on the device."""
    slack = SLACK if ctx.device == 'cuda' else 1.0
    selected = 'trajector and sdca' if ctx.toy else 'trajector or training'
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', 'tests/parity', '-q', '-p', 'on_device', '-k', selected, '--tb=short'],
        cwd=ROOT,
        env=environment(GOLDEN_DEVICE=ctx.device, GOLDEN_SLACK=str(slack)),
        capture_output=True,
        text=True,
        timeout=ctx.seconds_left(),
    )
    lines = done.stdout.splitlines()
    steps = next((line for line in lines if ' steps on ' in line), '0 steps')
    assert done.returncode == 0 and f'on {ctx.device}' in steps, '\n'.join(lines[-30:]) + done.stderr[-1000:]
    return dict(tolerance=f'that of the tests, times {slack:g}', steps=steps, summary=lines[-1])


def check_float16(ctx: Context) -> dict:
    """Train AdvEnt in float16: each network has its own scaler, and an overflow skips a step and changes no weights."""
    from mmuda.engine.optim.wrappers import make_scaler

    if ctx.device == 'cpu':
        try:
            make_scaler('float16', 'dynamic')
        except ValueError as error:
            return dict(refused=str(error))
        raise AssertionError('float16 was not refused on a CPU')
    model, wrappers, data = toy_training(ctx, 'advent', 'float16')
    losses = [model.train_step(copied(data), wrappers) for _ in range(6)]
    assert all(value.isfinite() for logs in losses for value in logs.values()), losses[-1]
    scaler, weight = wrappers['segmentor'].scaler, model.segmentor.decode_head.branches[0].weight
    scaler.update(2.0**40)  # overflows
    others = wrappers['discriminator'].scaler.get_scale()
    before = weight.detach().clone()
    model.train_step(copied(data), wrappers)
    assert torch.equal(before, weight), 'weights changed although gradients overflowed'
    assert scaler.get_scale() == 2.0**39 and wrappers['discriminator'].scaler.get_scale() == others
    state = wrappers.state_dict()
    wrappers.load_state_dict(state)
    return dict(scale_after_overflow=scaler.get_scale(), scale_of_discriminator=others)


def check_bfloat16(ctx: Context) -> dict:
    """Compare losses of a bfloat16 step of every method with those of float32, within 5 %."""
    apart = {}
    for name in METHODS:
        losses = []
        for variant in ('mmuda', 'mmuda+bfloat16'):
            step, model = build(name, variant, 'minicity', ctx.device)
            logs = step(toy_batch(name, model, ctx.device))
            losses.append({key: float(value) for key, value in logs.items() if key.startswith('loss_seg')})
        apart[name] = max(abs(value - losses[1][key]) / value for key, value in losses[0].items())
    assert max(apart.values()) < 0.05, apart
    return dict(apart=apart)


def check_distributed(ctx: Context) -> dict:
    """Train steps in a group of one process, with NCCL on a GPU; they must equal the steps of a bare adaptor."""
    import torch.distributed as dist

    from mmuda.engine import AdaptorDistributedDataParallel

    backend = 'nccl' if ctx.device == 'cuda' else 'gloo'
    losses = []
    with tempfile.TemporaryDirectory() as folder:
        dist.init_process_group(backend, init_method=f'file://{folder}/store', rank=0, world_size=1)
        try:
            for wrapped in (False, True):
                model, wrappers, data = toy_training(ctx, 'advent')
                bare = model
                model = AdaptorDistributedDataParallel(model) if wrapped else model
                losses += [model.train_step(copied(data), wrappers) for _ in range(2)][-1:]
                names = list(bare.state_dict())
            dist.barrier()
        finally:
            dist.destroy_process_group()
    assert not any('module.' in name for name in names)
    for key, value in losses[0].items():
        torch.testing.assert_close(losses[1][key], value, rtol=1e-3, atol=1e-5, msg=key)
    return dict(backend=backend, losses={key: float(value) for key, value in losses[1].items()})


def check_resume(ctx: Context) -> dict:
    """Train four iterations, and two and two, in deterministic mode: their weights must be equal bit by bit."""
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    names = ('dacs',) if ctx.toy else ('advent', 'dacs', 'sim')
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            whole, parts = Path(folder, name, 'whole'), Path(folder, name, 'parts')
            train(ctx, name, whole, 4)
            train(ctx, name, parts, 2)
            train(ctx, name, parts, 4, resume=True)
            first, second = (torch.load(one / 'iter_4.pth', weights_only=True)['state_dict'] for one in (whole, parts))
            different = [key for key, value in first.items() if not torch.equal(value, second[key])]
            assert not different, f'{name}: {len(different)} of {len(first)} weights differ: {different[:5]}'
    return dict(methods=names, weights='equal bit by bit')


def check_stages(ctx: Context) -> dict:
    """Run all stages of FADA (training, adversarial training, labels, distillation) with a few iterations each."""
    from mmuda.engine.launch import build_runner

    with tempfile.TemporaryDirectory() as folder:
        cfg = small_config('fada', Path(folder), 2)
        for stage in ('adversarial', 'distil'):
            cfg[stage].setdefault('overrides', {}).update(train_cfg=dict(max_iters=2, val_interval=2))
        runner = build_runner(cfg)
        runner.train()
        entries = runner.ctx.ledger.entries
        assert [entry['status'] for entry in entries.values()] == ['done'] * len(runner.stages)
        return dict(stages=list(entries))


CHECKS: dict[str, Callable[[Context], dict]] = dict(
    no_sync=check_no_sync,
    golden=check_golden,
    float16=check_float16,
    bfloat16=check_bfloat16,
    distributed=check_distributed,
    resume=check_resume,
    stages=check_stages,
)
"""Checks by name. Each returns facts for the results, or raises."""


def copied(data: dict) -> dict:
    """Return a shallow copy of a batch, because the preprocessor replaces its lists."""
    return {domain: dict(side) for domain, side in data.items()}


def toy_batch(name: str, model: Any, device: str) -> dict:
    """Return a small batch on the device."""
    return batch(METHODS[name]._replace(label_stride=1, count=2), 8, model.num_classes, 0, device)


def toy_training(ctx: Context, name: str, precision: str | None = None) -> tuple[Any, Any, dict]:
    """Return the small adaptor of a method with fixed weights, its optimizers and a batch."""
    from mmseg.registry import MODELS

    from mmuda.engine import PerModuleOptimWrapperConstructor

    cfg = training_of(name, 'minicity')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).to(ctx.device).train()
    optimizers = {key: value for key, value in cfg.optim_wrapper.items() if key != 'constructor'}
    wrappers = PerModuleOptimWrapperConstructor(dict(optimizers, precision=precision))(model)
    return model, wrappers, toy_batch(name, model, ctx.device)


def small_config(name: str, folder: Path, iters: int) -> Any:
    """Write a few tiny images, and return the MiniCity config of a method for some iterations on them."""
    from mmuda.engine.launch import load_config
    from mmuda.minicity import write_minicity

    data = folder / 'minicity'
    if not data.exists():
        data.parent.mkdir(parents=True, exist_ok=True)
        write_minicity(data, num_source=6, num_target=6, num_val=2, size=(64, 48))
    os.environ['MINICITY_ROOT'] = str(data)
    cfg = load_config(ROOT / METHODS[name].folder / 'minicity.py', work_dir=str(folder / 'run'))
    cfg.train_cfg.update(max_iters=iters, val_interval=100)
    cfg.default_hooks.checkpoint.interval = 2
    cfg.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    return cfg


def train(ctx: Context, name: str, folder: Path, iters: int, resume: bool = False) -> None:
    """Train a method in deterministic mode; if the config has stages, run the first stage that trains the method."""
    from mmuda.engine.launch import build_runner
    from mmuda.stages import TrainStage, build_stages, make_context

    cfg = small_config(name, folder, iters)
    if cfg.get('runner_type') == 'StagedRunner':
        stages = build_stages(cfg)
        context = make_context(cfg, stages)
        cfgs = (stage.config(context) for stage in stages if isinstance(stage, TrainStage))
        cfg = next(one for one in cfgs if one.model.type == METHODS[name].adaptor)
        cfg.train_cfg.update(max_iters=iters, val_interval=100)
    cfg.update(work_dir=str(folder), resume=resume, resume_allow=['train_cfg.max_iters'])
    cfg.randomness = dict(seed=0, deterministic=True)
    build_runner(cfg).train()


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a process that imports this checkout."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])])
    return {**os.environ, 'PYTHONPATH': path, **more}
