"""A comparison as an HTML report: means, curves and pictures of one seed."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from mmseg.structures import SegDataSample

from mmuda.datasets import build_dataset
from mmuda.engine.inference import load_model, predict
from mmuda.stages import network_config
from mmuda.visualization import RunSummary, collect_samples, read_scalars, write_report
from mmuda.visualization.scalars import Curve

from .ledger import RunLedger
from .results import Reading, Results, Summary
from .runs import Run
from .tables import legend, shown


def write_comparison_report(
    path: str | Path, results: Results, runs: Sequence[Run], ledger: RunLedger, pictures: int = 4
) -> Path:
    """Write one HTML page on a comparison.

    Numbers are means over seeds; curves and pictures are those of the first seed that a method has. The title has the
    part of the configs' names that all methods share, such as "minicity", and the page leaves it out elsewhere.

    Args:
        path: File to write.
        results: The numbers.
        runs: All runs.
        ledger: State of the runs.
        pictures: Number of test images to show; each is segmented by all methods now.

    Returns:
        The path.
    """
    by_name = {run.name: run for run in runs}
    shared, short = short_names(dict.fromkeys(run.method.name for run in runs))
    names = {one.name: one.name.replace(one.method.name, short[one.method.name], 1) for one in results.readings}
    shown_runs = {reading.name: by_name[_first(reading)] for reading in results.readings}
    cfg = network_config(runs[0].full_config())
    meta = build_dataset(cfg.test_dataloader.dataset).metainfo
    indices = np.unique(np.linspace(0, results.num_images - 1, pictures).astype(int)).tolist() if pictures else []

    def predictions(reading: Reading) -> Iterator[SegDataSample]:
        run = shown_runs[reading.name]
        network = network_config(run.full_config())
        tested = run.result_file('target').with_suffix('.pth')
        checkpoint = run.checkpoint() if reading.statistics == 'stored' else tested
        yield from predict(load_model(network, checkpoint), network, indices)

    samples = collect_samples({names[one.name]: predictions(one) for one in results.readings}) if indices else []
    baselines = {one.name for one in (results.source_only, results.best_baseline) if one is not None}
    summaries = [
        RunSummary(
            names[reading.name],
            _means(results, reading),
            _curves(shown_runs[reading.name]) if reading.statistics == 'stored' else {},
            _note(results, reading),
            baseline=reading.name in baselines,
            oracle=reading.method.is_oracle,
        )
        for reading in results.readings
    ]
    note = '\n\n'.join([legend(results), *(f'Note: {note}' for note in results.notes)])
    title = f'Comparison of {len(short)} method{"s" * (len(short) > 1)}{f": {shared}" * bool(shared)}'
    return write_report(path, title, summaries, samples, meta['classes'], meta['palette'], note)


def short_names(names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Leave out the part of the configs' names that all methods share.

    Args:
        names: Names of methods, such as 'source_only/minicity_oracle' and 'advent/minicity'.

    Returns:
        The shared part ('minicity'), and the short name of each method ('source_only_oracle' and 'advent'). If nothing
        is shared or two short names are equal, the shared part is '' and all names stay as they are.
    """
    parts = {name: (Path(name).parent.as_posix(), Path(name).name.split('_')) for name in names}
    words = [list(dict.fromkeys(column)) for column in zip(*(stem for _, stem in parts.values()), strict=False)]
    count = len(list(itertools.takewhile(lambda column: len(column) == 1, words)))
    short = {name: '_'.join([folder, *stem[count:]]) for name, (folder, stem) in parts.items()}
    if not count or len(set(short.values())) < len(short):
        return '', {name: name for name in parts}
    return '_'.join(column[0] for column in words[:count]), short


def _first(reading: Reading) -> str:
    return f'{reading.method.name}/seed_{next(iter(reading.results))}'


def _means(results: Results, reading: Reading) -> dict:
    """Return the means over seeds in the form of the JSON file of one run."""
    metrics = {name: Summary.of(list(reading.values(name).values())).mean for name in results.measures}
    first = next(iter(reading.results.values()))
    classes = {
        name: None if None in values else Summary.of([value for value in values if value is not None]).mean
        for name, values in reading.per_class().items()
    }
    return dict(
        metrics=metrics,
        protocols={name: first['protocols'][name] for name in results.measures if name in first['protocols']},
        per_class=dict(IoU=classes),
        num_images=results.num_images,
        paper=first.get('paper'),
    )


def _curves(run: Run) -> dict[str, Curve]:
    """Return the curves of a training; none for a method of several trainings, whose curves would overlap."""
    if run.method.staged:
        return {}
    try:
        return read_scalars(run.folder)
    except FileNotFoundError:
        return {}


def _note(results: Results, reading: Reading) -> str:
    values = reading.values(results.measure)
    seeds = ', '.join(f'{value:.1f} (seed {seed})' for seed, value in values.items())
    return f'{results.measure} {shown(Summary.of(list(values.values())))}: {seeds}'
