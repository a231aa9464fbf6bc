"""Check mmuda on one GPU, and measure its training steps, within a few minutes.

    python benchmarks/gpu_check.py [--minutes 8] [--out gpu_check.json]
    python benchmarks/gpu_check.py --device cpu --toy              # the same parts, small, without a GPU
    python benchmarks/gpu_check.py --parts no_sync advent compile  # some of them

benchmarks/gpu_check.sh brings packages to a machine without internet. Each part runs in a separate process, in the time
that is left, so a failure of one part does not affect the others. The file of results is written after every result.

Checks: the golden steps of tests/parity, with their tolerances times 20; float16 with loss scalers; bfloat16; NCCL with
one process; a training that is resumed in deterministic mode, bit by bit; a run of stages; no step that waits for
the GPU, by CUDA's detector. Measurements, each compared with the plain loop of plain_loops.py: AdvEnt, SIM and SDCA
at 720x1280 + 512x1024, CBST's crops on ResNet-38, and DAFormer on MiT-B5 at 512x512, 2 + 2. Each is measured in
float32, TF32, bfloat16, channels-last and compiled.

Exit status: 0 if all parts passed, 1 if one failed, 2 if none failed but time was too short for some.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from gpu_checks import CHECKS, Context, Results, environment
from plain_step import measure

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
"""Seconds after which a check is ended, so that one that hangs leaves time for the others; 60 for measured methods."""
PASSED, FAILED, LEFT_OUT = 'passed', 'failed', 'left out'


def measure_steps(name: str, variants: tuple[str, ...]) -> Callable[[Context], dict]:
    """Return a part that measures variants of a method until its time is over."""

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
    """Measure compiled steps of all methods until the time is over, because compilation takes long."""
    for name in MEASURED[:1] if ctx.toy else MEASURED:
        measure_steps(name, COMPILED[:1] if ctx.toy else COMPILED)(ctx)
    return {}


PARTS: dict[str, Callable[[Context], dict]] = dict(
    **CHECKS, **{name: measure_steps(name, VARIANTS) for name in MEASURED}, compile=measure_compiled
)


def run_part(name: str, args: argparse.Namespace, results: Results) -> None:
    """Run a part in a separate process, and record its status."""
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
        reason = f'TimeoutError: it took more than its {seconds:.0f} s'
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
    """Run a part in this process, and record its result."""
    results = Results(Path(args.out))
    with quiet():
        found = PARTS[args.one](Context(args.device, args.toy, args.deadline, results))
    results.content['parts'].setdefault(args.one, {}).update(found=found)
    results.write()


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the log of trainings."""
    import logging

    logging.disable(logging.WARNING)
    yield


def machine(device: str) -> dict[str, Any]:
    """Return the device and the versions that the figures belong to."""
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
    parser.add_argument('--minutes', type=float, default=8.0, help='minutes after which no part starts or continues')
    parser.add_argument('--device', choices=['cuda', 'cpu'], default='cuda')
    parser.add_argument('--toy', action='store_true', help='small networks and images')
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=list(PARTS), metavar='PART')
    parser.add_argument('--out', default='gpu_check.json', help='file of the results; an existing file is replaced')
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
