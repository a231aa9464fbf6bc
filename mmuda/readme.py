"""Tables of results in READMEs, made from metafiles."""

import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .files import write_atomically
from .metafile import NAME, paper, read_metafile

BEGIN = '<!-- Made from metafile.yml by tools/readme.py: change it there. -->'
END = '<!-- End of what is made from metafile.yml. -->'
HEADER = ('config', 'protocol', 'paper', 'ours', 'ours, statistics of the target')
NONE = '-'
PAIRS = {'minicity': 'MiniCity', 'carla2camvid': 'CARLA to CamVid'}
"""Pairs of the table that compares methods: beginning of the name of a config, title of the column."""
BASELINES = ('source_only', 'adabn')
Lines = Mapping[str, Mapping[str, dict[str, Any]]]
"""Models of metafiles: name of the folder, name of the model, model."""

ARXIV = re.compile(r'\d{4}\.\d{4,5}')
"""Number of a paper on arXiv. These numbers are in the order of publication."""


def results_table(models: Sequence[dict[str, Any]]) -> str:
    """Return the table of the results of some models, in Markdown.

    Args:
        models: Models of a metafile, see :func:`mmuda.metafile.read_metafile`.
    """
    rows = [row for model in models for row in _rows(model)]
    width = len(HEADER) if any(row[-1] != NONE for row in rows) else len(HEADER) - 1
    return markdown_table([row[:width] for row in [list(HEADER), *rows]])


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown. Its cells are not padded, so that a change of one cell changes only one line.

    Args:
        rows: Cells; the first row is the header.
    """
    lines = [f'| {" | ".join(row)} |' for row in rows]
    return '\n'.join([lines[0], '|' + '---|' * len(rows[0]), *lines[1:]])


def comparison_table(root: str | Path) -> str:
    """Return the table of our results of all methods on MiniCity and CARLA to CamVid, in Markdown.

    The order is that of :func:`folders_with_results`. The oracle, which is trained on the labels of the target, is
    last. Other variants of a method are left to its own README. A gain is the difference, seed by seed, of the result
    with statistics of the target (or the only result) to the baseline of the highest mean. A model with another network
    than the baselines names its own in the metafile.

    Args:
        root: The project.
    """
    lines = {folder.name: read_metafile(folder) for folder in folders_with_results(root)}
    rows = [
        [_collection(models), *_compared(lines, f'{name}/{{}}')]
        for name, models in lines.items()
        if any(f'{name}/{pair}' in models for pair in PAIRS)
    ]
    header = ['']
    for title in PAIRS.values():
        header += [title, f'{title}, statistics of the target', 'gain over the best baseline']
    oracle = _compared(lines, 'source_only/{}_oracle')
    return markdown_table([header, *rows, ['oracle (trained on the labels of the target)', *oracle]])


def _collection(models: Mapping[str, dict[str, Any]]) -> str:
    return next(iter(models.values()))['In Collection']


def _compared(lines: Lines, name: str) -> list[str]:
    """Return three cells for each pair: the result, the result with statistics of the target, and the gain.

    Args:
        lines: Models of all metafiles.
        name: Name of a model, with ``{}`` for the pair. Baselines have no gain.
    """
    cells = []
    for pair in PAIRS:
        model = _model(lines, name.format(pair))
        stored, target = _by_seed(model)
        is_baseline = name.removesuffix('/{}') in BASELINES
        base = {} if is_baseline else _best_baseline(lines, pair, model)
        gains = [value - base[seed] for seed, value in (target or stored).items() if seed in base]
        cells.append(_mean(list(stored.values())) if stored else 'not run')
        cells.append(_mean(list(target.values())) if target else NONE)
        cells.append(_mean(gains, '+') if gains else NONE)
    return cells


def _model(lines: Lines, name: str) -> dict[str, Any]:
    return lines.get(name.split('/')[0], {}).get(name, {})


def _by_seed(model: Mapping[str, Any]) -> tuple[dict[int, float], dict[int, float]]:
    """Return our mIoU of a model by seed, with the statistics of the checkpoint and with those of the target."""
    ours = next((result for result in model.get('Results', []) if result['Source'] == 'ours'), None)
    if ours is None:
        return {}, {}
    found = (ours['Metrics'], ours.get('Target Statistics'))
    stored, target = ({} if one is None else dict(zip(ours['Seeds'], one['mIoU'], strict=True)) for one in found)
    return stored, target


def _best_baseline(lines: Lines, pair: str, model: Mapping[str, Any]) -> dict[int, float]:
    """Return the results of the best baseline of a model by seed, with either statistics.

    Baselines are source-only and AdaBN, or the ``Baselines`` that the model names.

    Args:
        lines: Models of all metafiles.
        pair: The pair.
        model: The model.

    Raises:
        ValueError: If no metafile has one of the ``Baselines``, or they are no list.
    """
    own = model.get('Baselines')
    if own is not None and not (isinstance(own, list) and all(_model(lines, name) for name in own)):
        raise ValueError(
            f'{model["Name"]}: its metafile has Baselines={own!r}, expected a list of names FOLDER/CONFIG of models in '
            'metafiles'
        )
    names = own or [f'{one}/{pair}' for one in BASELINES]
    found = [one for name in names for one in _by_seed(_model(lines, name)) if one]
    return max(found, key=lambda one: statistics.fmean(one.values()), default={})


def _mean(values: Sequence[float], sign: str = '') -> str:
    """Return mean and standard deviation (n - 1) of three seeds or more; of fewer, the values."""
    if len(values) < 3:
        shown = ', '.join(f'{value:{sign}.1f}' for value in values)
        return f'{shown} ({len(values)} seed{"s" * (len(values) > 1)})'
    return f'{statistics.fmean(values):{sign}.1f} \u00b1 {statistics.stdev(values):.1f}'


def with_table(text: str, table: str, where: str = 'README.md') -> str:
    """Return a README with another table between its marks.

    Args:
        text: The README.
        table: The table, in Markdown.
        where: Name of the file, for messages.

    Raises:
        ValueError: If the marks are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f'{where} has no place for the results: put the lines {BEGIN!r} and {END!r} there')
    return f'{before}{BEGIN}\n\n{table}\n\n{END}{after}'


def with_results(text: str, models: Sequence[dict[str, Any]], where: str = 'README.md') -> str:
    """Return a README with the table of the results of some models between its marks.

    Args:
        text: The README.
        models: Models of the metafile.
        where: Name of the file, for messages.

    Raises:
        ValueError: If the marks are missing.
    """
    return with_table(text, results_table(models), where)


def update_readme(folder: str | Path) -> bool:
    """Make the table in the README of a folder again; return whether it changed.

    Args:
        folder: Folder of README.md and metafile.yml: the table of the results of its configs. Or the project, whose
            README has the table that compares methods.

    Raises:
        ValueError: If the README has no marks.
    """
    folder = Path(folder)
    path = folder / 'README.md'
    if (folder / NAME).is_file():
        table = results_table(list(read_metafile(folder).values()))
    else:
        table = comparison_table(folder)
    text = path.read_text(encoding='utf-8')
    new = with_table(text, table, str(path))
    if new != text:
        write_atomically(path, new.encode())
    return new != text


def folders_with_results(root: str | Path) -> list[Path]:
    """Return the folders in ``configs/`` and ``projects/`` that have a metafile.

    Baselines come first, then methods by the arXiv number of their paper, then folders without one.

    Args:
        root: Folder that holds ``configs/`` and ``projects/``.
    """
    found = (path.parent for place in ('configs', 'projects') for path in (Path(root) / place).glob(f'*/{NAME}'))
    return sorted(found, key=_order)


def _order(folder: Path) -> tuple[int, str, str]:
    if folder.name in BASELINES:
        return BASELINES.index(folder.name), '', folder.name
    number = ARXIV.search(paper(folder).get('URL', ''))
    return len(BASELINES) + (number is None), number[0] if number else '', folder.name


def _rows(model: dict[str, Any]) -> list[list[str]]:
    """Return a row for each data set that the model has results on, or one row if it has none."""
    title = model.get('Row') or model['Name'].split('/')[-1]
    title += f' ({model["Remark"]})' if 'Remark' in model else ''
    results = model.get('Results', [])
    rows = []
    for dataset in dict.fromkeys(result['Dataset'] for result in results):
        here = {result['Source']: result for result in results if result['Dataset'] == dataset}
        names = list(dict.fromkeys(name for result in here.values() for name in result['Metrics']))
        paper, ours = _paper(here.get('paper'), names), _ours(here.get('ours'), names)
        rows.append([title, f'{" / ".join(names)}, {dataset}', paper, *ours])
    return rows or [[title, NONE, NONE, 'not run', NONE]]


def _paper(result: dict[str, Any] | None, names: Sequence[str]) -> str:
    if result is None:
        return NONE
    # As published: 52.14 stays 52.14, and 41 is 41.0.
    shown = {name: str(float(value)) for name, value in result['Metrics'].items()}
    return _by_name(shown, names) + _remark(result)


def _ours(result: dict[str, Any] | None, names: Sequence[str]) -> list[str]:
    if result is None:
        return ['not run', NONE]
    target = result.get('Target Statistics')
    stored = _seeds(result['Metrics'], names, result['Seeds']) + _remark(result)
    return [stored, NONE if target is None else _seeds(target, names, result['Seeds'])]


def _by_name(shown: dict[str, str], names: Sequence[str]) -> str:
    """Return a cell with the numbers of the metrics of its row, in the order of their names."""
    return ' / '.join(shown.get(name, NONE) for name in names)


def _seeds(metrics: dict[str, list[float]], names: Sequence[str], seeds: Sequence[int]) -> str:
    """Return the numbers of each metric, with their mean and standard deviation (n - 1)."""
    named = f' (seeds {", ".join(map(str, seeds))})' if len(seeds) > 1 else f' (seed {seeds[0]})'
    return _by_name({name: _numbers(values) for name, values in metrics.items()}, names) + named


def _numbers(values: Sequence[float]) -> str:
    listed = ', '.join(f'{value:.1f}' for value in values)
    if len(values) == 1:
        return listed
    return f'{listed}: {statistics.fmean(values):.1f} \u00b1 {statistics.stdev(values):.1f}'


def _remark(result: dict[str, Any]) -> str:
    return f'; {result["Remark"]}' if 'Remark' in result else ''
