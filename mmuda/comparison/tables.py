"""A comparison as tables, for a terminal and in Markdown."""

from collections.abc import Sequence

from terminaltables import AsciiTable

from mmuda.readme import markdown_table

from .results import Reading, Results, Summary

DASH = '-'


def comparison_text(results: Results, markdown: bool = False) -> str:
    """Return the table of methods, the table of classes, and the notes.

    Args:
        results: The numbers.
        markdown: Whether to write tables in Markdown instead of ASCII.
    """

    def table(rows: list[list[str]]) -> str:
        return markdown_table(rows) if markdown else AsciiTable(rows).table

    parts = [
        table(headline_rows(results)),
        legend(results),
        'IoU of each class in percent, mean over seeds; columns are the lines of the table above.',
        table(class_rows(results)),
        *(f'- {note}' if markdown else f'Note: {note}' for note in results.notes),
    ]
    return '\n\n'.join(parts) + '\n'


def headline_rows(results: Results) -> list[list[str]]:
    """Return the table of methods, a row for each :class:`Reading` (a method with some batch-norm statistics)."""
    source, best = results.source_only, results.best_baseline
    header = [
        *('', 'method', 'statistics', 'seeds'),
        *results.measures,
        *('over source-only', 'over best baseline', 'iterations', 'seconds', 'memory, MB'),
    ]
    rows = [header]
    for number, reading in enumerate(results.readings, 1):
        scores = [shown(Summary.of(list(reading.values(measure).values()))) for measure in results.measures]
        rows.append(
            [
                str(number),
                reading.method.name,
                reading.statistics,
                ', '.join(map(str, reading.results)),
                *scores,
                _worth(results, reading, source),
                _worth(results, reading, best),
                _count(reading.costs('iterations')),
                _count(reading.costs('seconds')),
                _memory(reading),
            ]
        )
    return rows


def legend(results: Results) -> str:
    """Return the explanation of the table of methods."""
    best = results.best_baseline
    lines = [
        f'Percent on {results.num_images} images, last checkpoints, mean and standard deviation over seeds.',
        f'Worth is measured in {results.measure}, seed by seed.',
        'Statistics of batch-norm: those of the training (stored), or of the unlabelled target images alone (target).',
        'Seconds are the wall time of the trainings, memory is the peak of the GPU or else of the process.',
    ]
    if best is not None:
        lines.append(
            f'The best baseline is {best.name}; baselines are source-only and AdaBN with either statistics. The claim '
            'of a method is its worth over the best baseline.'
        )
    return '\n'.join(lines)


def class_rows(results: Results) -> list[list[str]]:
    """Return the table of classes, a column for each reading."""
    rows = [['class', *(str(number) for number in range(1, len(results.readings) + 1))]]
    found = [reading.per_class() for reading in results.readings]
    for name in results.classes:
        values = [column[name] for column in found]
        rows.append([name, *(_mean_of(column) for column in values)])
    return rows


def shown(summary: Summary, sign: str = '') -> str:
    """Return mean and deviation as text with one decimal.

    Args:
        summary: Percentages.
        sign: ``'+'`` for differences.
    """
    mean = f'{summary.mean:{sign}.1f}'
    return mean if summary.deviation is None else f'{mean} \u00b1 {summary.deviation:.1f}'


def _worth(results: Results, reading: Reading, other: Reading | None) -> str:
    worth = None if other is None or other is reading else reading.worth(other, results.measure)
    return DASH if worth is None else shown(worth, '+')


def _count(values: Sequence[float]) -> str:
    return f'{Summary.of(values).mean:.0f}'


def _memory(reading: Reading) -> str:
    peak = reading.memory()
    return DASH if peak is None else f'{peak[1]:.0f}{" (GPU)" if peak[0] == "gpu" else ""}'


def _mean_of(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f'{Summary.of(known).mean:.1f}' if len(known) == len(values) else DASH
