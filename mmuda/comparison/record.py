"""Record of the results of a comparison in the metafiles of the configs, and from there in the READMEs."""

from pathlib import Path
from typing import Any, Literal

from mmuda.evaluation.protocols import ALL_CLASSES
from mmuda.metafile import record_results
from mmuda.readme import update_readme

from .results import Reading, Results


def record(
    results: Results, dataset: str | None = None, other_seeds: Literal['refuse', 'lose', 'keep'] = 'refuse'
) -> list[Path]:
    """Write the numbers of all methods into their metafiles, and update the tables of the READMEs beside them.

    Args:
        results: The numbers. Methods without results for the statistics of their training (``'stored'``) are left out.
        dataset: Name of the tested images, such as ``'MiniCity val'``; by default the name in the metafile.
        other_seeds: See :func:`mmuda.metafile.record_results`.

    Returns:
        The folders of the metafiles.

    Raises:
        ValueError: See :func:`mmuda.metafile.record_results`.
    """
    folders = []
    for reading in results.readings:
        if reading.statistics == 'stored':
            target = next(
                (one for one in results.readings if one.method is reading.method and one.statistics == 'target'), None
            )
            folders.append(
                record_results(reading.method.path, [_entry(results, reading, target, dataset)], other_seeds)
            )
    folders = list(dict.fromkeys(folders))
    for folder in folders:
        update_readme(folder)
    return folders


def _entry(results: Results, reading: Reading, target: Reading | None, dataset: str | None) -> dict[str, Any]:
    entry: dict[str, Any] = {'Dataset': dataset} if dataset else {}
    entry.update({'Seeds': list(reading.results), 'Metrics': _metrics(results, reading)})
    if target is not None and list(target.results) == list(reading.results):
        entry['Target Statistics'] = _metrics(results, target)
    for name in ('commit', 'machine'):
        found = dict.fromkeys(one[name] for one in reading.entries.values() if one.get(name))
        if found:
            entry[name.capitalize()] = '; '.join(found)
    return entry


def _metrics(results: Results, reading: Reading) -> dict[str, list[float]]:
    """Return the numbers of all seeds by protocol. The mean of all classes is left out if there are other protocols.

    Three digits are kept, so that a table with one digit rounds as if it were made from the full results.
    """
    names = [name for name in results.measures if name != 'aAcc']
    names = [name for name in names if name != ALL_CLASSES] or names
    return {name: [round(value, 3) for value in reading.values(name).values()] for name in names}
