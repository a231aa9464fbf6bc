"""Paired measurement: variants of a computation take turns in separate processes; table of a plain variant and ours."""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SIDES = ('plain', 'ours')


def parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser with the options of all paired benchmarks; ``--one`` is the variant of a child process."""
    found = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument('--rounds', type=int, default=3, help='processes of each variant')
    found.add_argument('--iters', type=int, default=5, help='counted iterations of a process, after one warm-up')
    found.add_argument('--threads', type=int, default=2)
    found.add_argument('--one', choices=SIDES, help=argparse.SUPPRESS)
    return found


def resident() -> int:
    """Return the memory of this process in bytes."""
    return int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize()


def clock(parts: dict[str, Callable[[], None]], iters: int) -> dict:
    """Return median seconds of each part and of ``both`` after one warm-up, and the growth of the peak memory in GiB.

    Args:
        parts: Functions of an iteration, in order.
        iters: Number of counted iterations.
    """
    base = resident()
    seconds: dict[str, list[float]] = {name: [] for name in (*parts, 'both')}
    for _ in range(iters + 1):
        total = 0.0
        for name, part in parts.items():
            start = time.perf_counter()
            part()
            took = time.perf_counter() - start
            seconds[name].append(took)
            total += took
        seconds['both'].append(total)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return dict(
        **{name: statistics.median(values[1:]) for name, values in seconds.items()}, memory=(peak - base) / 2**30
    )


def in_process(script: str, side: str, options: Sequence[str]) -> dict:
    """Return the last line that the script prints, which is JSON, when it measures one variant."""
    out = subprocess.run([sys.executable, script, '--one', side, *options], check=True, capture_output=True, text=True)
    return json.loads(out.stdout.splitlines()[-1])


def take_turns(script: str, variants: Sequence[str], rounds: int, options: Sequence[str]) -> dict[str, list[dict]]:
    """Measure variants in turns, so that other work affects all of them, and return their figures by round."""
    results: dict[str, list[dict]] = {variant: [] for variant in variants}
    for _ in range(rounds):
        for variant, runs in results.items():
            runs.append(in_process(script, variant, options))
    return results


def middle(runs: Sequence[dict], key: str) -> float:
    """Return the median of a figure."""
    return statistics.median(run[key] for run in runs)


def ratio_to(first: Sequence[dict], runs: Sequence[dict], key: str) -> float:
    """Return the median of the ratios of a figure to that of the first variant, round by round."""
    return statistics.median(run[key] / other[key] for run, other in zip(runs, first, strict=True))


def compare(script: str, options: Sequence[str], rounds: int, rows: dict[str, str], whole: str = 'both') -> list[dict]:
    """Measure both variants in turns, and print medians, ratios and the largest difference of their ``figures``.

    Args:
        script: The benchmark, called with ``--one``.
        options: Other options of these calls.
        rounds: Processes of each variant.
        rows: Names of the measured parts, and their labels in the table.
        whole: Label of ``both``, the time of an iteration.

    Returns:
        The figures of our variant, by round.
    """
    pairs = []
    for index in range(rounds):
        found = {side: in_process(script, side, options) for side in (SIDES if index % 2 == 0 else SIDES[::-1])}
        pairs.append([found[side] for side in SIDES])
    print(f'{"":24}{"plain":>10}{"ours":>10}{"plain / ours":>14}')
    labels = {
        **{name: f'{label}, s' for name, label in rows.items()},
        'both': f'{whole}, s',
        'memory': 'memory above base, GiB',
    }
    for key, label in labels.items():
        plain, ours = (statistics.median(pair[i][key] for pair in pairs) for i in (0, 1))
        ratio = statistics.median(pair[0][key] / pair[1][key] for pair in pairs)
        print(f'{label:24}{plain:10.3f}{ours:10.3f}{ratio:14.1f}')
    apart = max(
        abs(a - b) / abs(a) for pair in pairs for a, b in zip(pair[0]['figures'], pair[1]['figures'], strict=True)
    )
    print(f'results of both variants are apart by {apart:.1e} of their values at most')
    return [ours for _, ours in pairs]
