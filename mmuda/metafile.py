"""``metafile.yml`` beside the configs of a method: the only source of published results and of ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from .files import write_atomically

NAME = 'metafile.yml'
IN_ONE_LINE = {'Paper', 'Metrics', 'Target Statistics', 'Seeds', 'Per Class'}
"""Keys whose values are written on one line."""
UNKNOWN = 'unknown'
"""Commit or machine of results that do not name it, beside others that do."""
MODEL_KEYS = {'Name', 'In Collection', 'Config', 'Remark', 'Row', 'Baselines', 'Results', 'Weights', 'Metadata'}
"""Keys of a model: those of OpenMMLab's format, ``Remark``, ``Row`` and ``Baselines``."""
OF_SEEDS = ('Metrics', 'Target Statistics')
"""Keys of our results whose values are lists over the seeds."""


def read_metafile(folder: str | Path) -> dict[str, dict[str, Any]]:
    """Return the models of a metafile by their names, such as ``'advent/gta2city'``.

    The format is that of OpenMMLab's model zoos. A model has a list of ``Results``. Each result has its ``Source``
    (``paper`` or ``ours``), ``Dataset`` and ``Metrics`` in percent: one number for each metric of a paper, and a list
    over ``Seeds`` for ours. A result of a paper also has the ``Name`` of its column and, if it is known, the IoU ``Per
    Class``. Ours can have the same metrics with ``Target Statistics`` of batch-norm, the ``Commit`` of the code, and
    the ``Machine``, a processor or a GPU. Semicolons separate several commits or machines. Models and results can have
    a ``Remark``. A model whose network is not that of source-only and AdaBN on its pair has ``Baselines``, a list of
    names: its gain is measured from the best of these models.

    Args:
        folder: Folder of the metafile.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If two models have the same name, or a model has a key that does not belong to the format.
    """
    models = _read(folder)['Models']
    for model in models:
        if not set(model) <= MODEL_KEYS:
            raise ValueError(
                f'{Path(folder) / NAME}: {model.get("Name")} has the keys {sorted(set(model) - MODEL_KEYS)}, expected '
                f'some of {sorted(MODEL_KEYS)}'
            )
    found = {model['Name']: model for model in models}
    if len(found) < len(models):
        raise ValueError(f'{Path(folder) / NAME} has several models of one name: {[model["Name"] for model in models]}')
    return found


def paper(folder: str | Path) -> dict[str, Any]:
    """Return the ``Paper`` of a folder of configs: ``Title``, ``URL``, ``Authors``, ``Venue``, ``Year``.

    Args:
        folder: Folder of the metafile.

    Returns:
        The entry; an empty dict if the metafile names no paper.
    """
    collections = _read(folder).get('Collections') or [{}]
    return collections[0].get('Paper', {})


def paper_of(config: str | Path) -> dict[str, Any] | None:
    """Return the results of the paper for a config, as :class:`DomainIoUMetric` takes them, or None if it has none.

    Args:
        config: Config file. Its metafile is in the same folder, or, for ``projects/NAME/configs``, in the one above.
    """
    found = model_of(config)
    results = [] if found is None else [one for one in found[1].get('Results', ()) if one['Source'] == 'paper']
    return _figures(results[0]) if results else None


def model_of(config: str | Path) -> tuple[Path, dict[str, Any]] | None:
    """Return the folder of the metafile that lists a config, and its model there; None if there is none.

    Args:
        config: See :func:`paper_of`.
    """
    path = Path(config).resolve()
    folder = next((folder for folder in (path.parent, path.parent.parent) if (folder / NAME).is_file()), None)
    if folder is None:
        return None
    ending = path.relative_to(folder.parent).as_posix()
    for model in read_metafile(folder).values():
        if 'Config' in model and f'/{model["Config"]}'.endswith(f'/{ending}'):
            return folder, model
    return None


def record_results(
    config: str | Path, results: Sequence[dict[str, Any]], other_seeds: Literal['refuse', 'lose', 'keep'] = 'refuse'
) -> Path:
    """Write our results for a config into its metafile, in place of our earlier results on the same data sets.

    Args:
        config: See :func:`paper_of`.
        results: Entries of ``Results``. Without ``Dataset``, the last one in the metafile for this config is used.
        other_seeds: Treatment of seeds that only the earlier results have. ``'refuse'`` raises an error. ``'lose'``
            writes the new results alone. ``'keep'`` adds the new results to the earlier ones, of which it changes none.

    Returns:
        The folder of the metafile.

    Raises:
        ValueError: If no metafile lists the config, the name of the data set is not known, seeds would be lost, or
            results to join have other measures or another value for the same seed.
    """
    found = model_of(config)
    if found is None:
        raise ValueError(f'no {NAME} beside {config} lists it: add it there with Name and Config')
    folder, model = found
    content = _read(folder)
    (entry,) = (one for one in content['Models'] if one['Name'] == model['Name'])
    for result in results:
        earlier = entry.setdefault('Results', [])
        known = next((one['Dataset'] for one in reversed(earlier)), None)
        dataset = result.get('Dataset') or known
        if dataset is None:
            raise ValueError(
                f'{folder / NAME} has no Dataset for {model["Name"]} yet: name it, such as "Cityscapes val"'
            )
        ours = [one for one in earlier if (one['Source'], one['Dataset']) == ('ours', dataset)]
        lost = sorted({seed for one in ours for seed in one['Seeds']} - set(result['Seeds']))
        if lost and other_seeds == 'refuse':
            raise ValueError(
                f'{folder / NAME} has results of {model["Name"]} on {dataset} with seeds {ours[0]["Seeds"]}, and the '
                f'new results are of seeds {result["Seeds"]}: run seeds {lost} too, or give --add to keep them or '
                f'--replace to lose them'
            )
        new = {'Source': 'ours', 'Dataset': dataset, **result}
        if lost and other_seeds == 'keep':
            new = _joined(ours[0], new, f'{folder / NAME}, {model["Name"]} on {dataset}')
        entry['Results'] = [*(one for one in earlier if one not in ours), new]
    write_metafile(folder, content)
    return folder


def _joined(earlier: dict[str, Any], new: dict[str, Any], place: str) -> dict[str, Any]:
    """Return the results of all seeds, in the order of the seeds."""
    measures = [[(kind, name) for kind in OF_SEEDS for name in one.get(kind, ())] for one in (earlier, new)]
    if sorted(measures[0]) != sorted(measures[1]):
        raise ValueError(
            f'{place} has the measures {measures[0]} of seeds {earlier["Seeds"]}, and {measures[1]} of seeds '
            f'{new["Seeds"]}: test all seeds with the same statistics and measures'
        )
    seeds = sorted({*earlier['Seeds'], *new['Seeds']})
    both = sorted({*earlier['Seeds']} & {*new['Seeds']})
    joined = {**earlier, **new, 'Seeds': seeds}
    for kind, name in measures[1]:
        known, found = (dict(zip(one['Seeds'], one[kind][name], strict=True)) for one in (earlier, new))
        changed = [f'{known[seed]} and {found[seed]} for seed {seed}' for seed in both if known[seed] != found[seed]]
        if changed:
            raise ValueError(
                f'{place} has another {name} ({kind}) than the new results: {", ".join(changed)}; leave these seeds '
                'out, or run all seeds and give --replace'
            )
        joined[kind] = {**joined[kind], name: [{**known, **found}[seed] for seed in seeds]}
    for key in ('Commit', 'Machine'):
        if key in joined:
            values = [value for one in (earlier, new) for value in str(one.get(key, UNKNOWN)).split('; ')]
            joined[key] = '; '.join(dict.fromkeys(values))
    return joined


def write_metafile(folder: str | Path, content: dict[str, Any]) -> None:
    """Write a metafile with a line for each key, and one line for numbers that belong together.

    Args:
        folder: Folder of the metafile.
        content: Whole content of the metafile.
    """
    text = yaml.dump(
        _laid_out(content), Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=10_000, allow_unicode=True
    )
    write_atomically(Path(folder) / NAME, text.encode())


def _read(folder: str | Path) -> dict[str, Any]:
    return yaml.safe_load((Path(folder) / NAME).read_text(encoding='utf-8'))


def _figures(result: dict[str, Any]) -> dict[str, Any]:
    figures = dict(name=result['Name'], **result['Metrics'])
    if 'Per Class' in result:
        figures['per_class'] = result['Per Class']
    return figures


class _Line:
    """A value to write on one line."""

    def __init__(self, value: Any) -> None:
        self.value = value


class _Dumper(yaml.SafeDumper):
    """Dumper that writes each entry of lists and dicts on a separate line, except in a :class:`_Line`."""


def _represent_line(dumper: yaml.SafeDumper, line: _Line) -> yaml.Node:
    def flat(node: yaml.Node) -> yaml.Node:
        if isinstance(node, yaml.CollectionNode):
            node.flow_style = True
            for child in node.value:
                for part in child if isinstance(child, tuple) else (child,):
                    flat(part)
        return node

    return flat(dumper.represent_data(line.value))


_Dumper.add_representer(_Line, _represent_line)


def _laid_out(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _Line(value) if key in IN_ONE_LINE else _laid_out(value) for key, value in node.items()}
    return [_laid_out(value) for value in node] if isinstance(node, list) else node
