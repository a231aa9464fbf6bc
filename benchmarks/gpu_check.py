"""Check mmuda on one GPU and measure its steps there, within a few minutes.

    python benchmarks/gpu_check.py [--minutes 8] [--out gpu_check.json]
    python benchmarks/gpu_check.py --device cpu --toy              # the same parts, small, where there is no GPU
    python benchmarks/gpu_check.py --parts no_sync advent compile  # some of them

benchmarks/gpu_check.sh brings packages to a machine without internet. Each part is a process of its own, with what is
left of the time: a failure of one loses nothing of the others. The file is written after every result.

Checks: the golden steps of tests/parity, with their tolerances times 20; float16 with loss scalers; bfloat16; NCCL with
one process; a training that is resumed in deterministic mode, bit by bit; a run of stages; no step that waits for the
GPU, by CUDA's own detector. Measured, each beside the plain loop of plain_loops.py: AdvEnt, SIM and SDCA at 720x1280 +
512x1024, CBST's crops on ResNet-38, DAFormer on MiT-B5 at 512x512, 2 + 2; in float32, TF32, bfloat16, channels-last,
compiled.

Exit status: 0 if all parts passed, 1 if one failed, 2 if none failed but time was too short for some.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from plain_step import METHODS, build, measure

ROOT = Path(__file__).resolve().parents[1]
SLACK = 20.0
"""Factor of the golden checks' tolerances for a CPU."""
MEASURED = ('advent', 'daformer', 'sim', 'sdca', 'cbst')
VARIANTS = (
    'plain',
    'mmuda',
    'plain+tf32',
    'mmuda+tf32',
    'plain+bfloat16',
    'mmuda+bfloat16',
    'mmuda+bfloat16+channels_last',
)
COMPILED = ('mmuda+bfloat16+compile', 'mmuda+bfloat16+channels_last+compile')
LIMITS = dict(no_sync=60, golden=75, float16=20, bfloat16=40, distributed=20, resume=45, stages=30)
"""Seconds after which a check ends, so that one that hangs leaves time for the others; 60 for each measured method."""
PASSED, FAILED, LEFT_OUT = 'passed', 'failed', 'left out'


class Results:
    """The results so far, in a JSON file that is complete at any time.

    Attributes:
        content: ``machine``; ``parts`` by name: status, seconds and facts or the reason; ``steps``: a list of figures.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else dict(parts={}, steps=[])

    def write(self) -> None:
        from mmuda.files import write_json

        write_json(self.path, self.content)


class Context:
    """Device, size and time of a part.

    Attributes:
        device: ``'cuda'`` or ``'cpu'``.
        toy: Small networks and images.
        deadline: When it has to end, as :func:`time.time` counts.
        results: Where figures go.
    """

    def __init__(self, device: str, toy: bool, deadline: float, results: Results) -> None:
        self.device, self.toy, self.deadline, self.results = device, toy, deadline, results

    @property
    def pair(self) -> str:
        """Of the configs whose steps are measured."""
        return 'minicity' if self.toy else 'gta2city'

    def seconds_left(self) -> float:
        return self.deadline - time.time()


# Checks. Each returns what it found, or raises.


def check_no_sync(ctx: Context) -> dict:
    """Train two steps of every method, then one in which each wait for the GPU is an error; at toy size."""
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
    """Run a step in which every wait for the GPU is an error, except in known functions; return the error."""
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
    """Return a function that may wait for the GPU."""

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
    """Train AdvEnt in float16: each scaler acts for its own network, and an overflow costs one step and no weights."""
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
    assert torch.equal(before, weight), 'weights changed although gradients had overflown'
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
    """Train a step in a group of one process, over NCCL on a GPU; it must be the step of a bare adaptor."""
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
    """Train four iterations in deterministic mode, and two and two: checkpoint and weights must be equal bit by bit."""
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
    """Run all stages of FADA (training, adversarial training, labels, distillation), some iterations each."""
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


# Measurements.


def measure_steps(name: str, variants: tuple[str, ...]) -> Callable[[Context], dict]:
    """Return a part that measures variants of a method while there is time."""

    def part(ctx: Context) -> dict:
        size: dict[str, Any] = dict(divide=8, iters=1) if ctx.toy else dict(divide=1, iters=10, warm_up=3)
        done: list[str] = []
        longest = 0.0
        for variant in variants:
            if ctx.device == 'cpu' and 'tf32' in variant:
                continue
            if ctx.seconds_left() < 1.5 * longest:
                break
            start = time.time()
            found = measure(name, variant, ctx.pair, device=ctx.device, **size)
            longest = max(longest, time.time() - start)
            ctx.results.content['steps'].append(dict(method=name, variant=variant, **found))
            ctx.results.write()
            done.append(variant)
            if ctx.device == 'cuda':
                torch.cuda.empty_cache()
        wanted = [one for one in variants if ctx.device == 'cuda' or 'tf32' not in one]
        if len(done) < len(wanted):
            raise TimeoutError(f'no time for {", ".join(wanted[len(done) :])}')
        return dict(variants=done)

    return part


def measure_compiled(ctx: Context) -> dict:
    """Measure compiled steps of all methods while there is time: compilers take long."""
    for name in MEASURED[:1] if ctx.toy else MEASURED:
        measure_steps(name, COMPILED[:1] if ctx.toy else COMPILED)(ctx)
    return {}


PARTS: dict[str, Callable[[Context], dict]] = dict(
    no_sync=check_no_sync,
    golden=check_golden,
    float16=check_float16,
    bfloat16=check_bfloat16,
    distributed=check_distributed,
    resume=check_resume,
    stages=check_stages,
    **{name: measure_steps(name, VARIANTS) for name in MEASURED},
    compile=measure_compiled,
)


# Shared by the parts.


def copied(data: dict) -> dict:
    """Return a batch whose lists the preprocessor may replace."""
    return {domain: dict(side) for domain, side in data.items()}


def toy_batch(name: str, model: Any, device: str) -> dict:
    """Return a small batch on the device."""
    from plain_step import batch

    return batch(METHODS[name]._replace(label_stride=1, count=2), 8, model.num_classes, 0, device)


def toy_training(ctx: Context, name: str, precision: str | None = None) -> tuple[Any, Any, dict]:
    """Return the small adaptor of a method with fixed weights, its optimizers and a batch."""
    from mmseg.registry import MODELS
    from plain_step import training_of

    from mmuda.engine import PerModuleOptimWrapperConstructor

    cfg = training_of(name, 'minicity')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).to(ctx.device).train()
    optimizers = {key: value for key, value in cfg.optim_wrapper.items() if key != 'constructor'}
    wrappers = PerModuleOptimWrapperConstructor(dict(optimizers, precision=precision))(model)
    return model, wrappers, toy_batch(name, model, ctx.device)


def small_config(name: str, folder: Path, iters: int) -> Any:
    """Return the MiniCity config of a method for some iterations on a few tiny images, which are written."""
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
    """Train a method in deterministic mode; of a config with stages, its first training of the method."""
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


# The whole.


def run_part(name: str, args: argparse.Namespace, results: Results) -> None:
    """Run a part in a process of its own and note how it ended."""
    start = time.time()
    seconds = args.deadline - start
    if not args.toy:
        seconds = min(seconds, LIMITS.get(name, seconds if name == 'compile' else 60.0))
    command = [sys.executable, '-W', 'ignore', __file__, '--one', name, '--device', args.device, '--out', args.out]
    command += ['--deadline', str(start + seconds), *(['--toy'] if args.toy else [])]
    try:
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=seconds + 10)
        reason = '' if done.returncode == 0 else done.stderr[-4000:] or f'exit status {done.returncode}'
    except subprocess.TimeoutExpired:
        reason = f'TimeoutError: it took more than the {seconds:.0f} s that were left'
    results.content = Results(results.path).content
    entry = results.content['parts'].setdefault(name, {})
    last = (reason.strip().splitlines() or [''])[-1]
    late = last.startswith(('TimeoutError', 'subprocess.TimeoutExpired'))
    entry.update(status=PASSED if not reason else LEFT_OUT if late else FAILED, seconds=round(time.time() - start, 1))
    if reason:
        entry['reason'] = reason
    results.write()
    print(f'{name:14}{entry["status"]:10}{entry["seconds"]:7.1f} s  {last[:200]}', flush=True)


def run_one(args: argparse.Namespace) -> None:
    """Run a part in this process and note what it found."""
    results = Results(Path(args.out))
    with quiet():
        found = PARTS[args.one](Context(args.device, args.toy, args.deadline, results))
    results.content['parts'].setdefault(args.one, {}).update(found=found)
    results.write()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the log of trainings from the terminal."""
    import logging

    logging.disable(logging.WARNING)
    yield


def machine(device: str) -> dict[str, Any]:
    """Return what the figures belong to."""
    gpu = torch.cuda.get_device_name() if device == 'cuda' else None
    return dict(
        device=gpu or f'CPU, {torch.get_num_threads()} threads', torch=torch.__version__, cuda=torch.version.cuda
    )


def table(steps: list[dict]) -> str:
    """Return seconds and memory of all steps, and ratios to the plain loop of the same method in float32."""
    lines = [f'{"method":10}{"variant":40}{"s/step":>9}{"GiB":>8}{"time ratio":>12}{"memory ratio":>14}']
    plain = {one['method']: one for one in steps if one['variant'] == 'plain'}
    for one in steps:
        first = plain.get(one['method'])
        ratios = [one[key] / first[key] for key in ('seconds', 'memory')] if first else [float('nan')] * 2
        lines.append(
            f'{one["method"]:10}{one["variant"]:40}{one["seconds"]:9.3f}{one["memory"]:8.2f}{ratios[0]:12.2f}{ratios[1]:14.2f}'
        )
    return '\n'.join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=8.0, help='after which no part begins or goes on')
    parser.add_argument('--device', choices=['cuda', 'cpu'], default='cuda')
    parser.add_argument('--toy', action='store_true', help='small networks and images')
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=list(PARTS), metavar='PART')
    parser.add_argument('--out', default='gpu_check.json', help='file of the results; an earlier one is replaced')
    parser.add_argument('--one', help=argparse.SUPPRESS)
    parser.add_argument('--deadline', type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('PyTorch finds no GPU; --device cpu --toy runs the same parts without one')
    if args.one:
        run_one(args)
        return 0
    args.deadline = time.time() + 60 * args.minutes
    path = Path(args.out)
    path.unlink(missing_ok=True)
    results = Results(path)
    results.content['machine'] = machine(args.device)
    results.write()
    for name in args.parts:
        if time.time() > args.deadline:
            results.content['parts'][name] = dict(status=LEFT_OUT, seconds=0.0)
            results.write()
            continue
        run_part(name, args, results)
    print(table(results.content['steps']))
    status = {entry['status'] for entry in results.content['parts'].values()}
    facts = ', '.join(f'{key}: {value}' for key, value in results.content['machine'].items())
    print(f'{facts}; all figures are in {path}')
    return 1 if FAILED in status else 2 if LEFT_OUT in status else 0


if __name__ == '__main__':
    sys.exit(main())
