"""``metafile.yml`` beside the configs of a method: the one source of published figures and ours."""

from pathlib import Path
from typing import Any

from mmengine.fileio import load

NAME = 'metafile.yml'


def read_metafile(folder: str | Path) -> dict[str, dict[str, Any]]:
    """Return the models of a metafile by their names, such as ``'advent/gta2city'``.

    The format is that of OpenMMLab's model zoos. A model has a list of ``Results``; each says its ``Source`` (``paper``
    or ``ours``), ``Dataset`` and ``Metrics`` in percent: one number each for a paper, a list over ``Seeds`` for ours.
    A paper's result also has the ``Name`` of its column and, where it is known, the IoU ``Per Class``.

    Args:
        folder: Folder of the metafile.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If two models have the same name.
    """
    models = load(str(Path(folder) / NAME))['Models']
    found = {model['Name']: model for model in models}
    if len(found) < len(models):
        raise ValueError(f'{Path(folder) / NAME} has two models of one name: {[model["Name"] for model in models]}')
    return found


def paper_of(config: str | Path) -> dict[str, Any] | None:
    """Return the paper's figures for a config, as :class:`DomainIoUMetric` takes them, or None if it has none.

    Args:
        config: Config file; its metafile is in the same folder, or, for ``projects/NAME/configs``, in the one above.
    """
    path = Path(config).resolve()
    folder = next((folder for folder in (path.parent, path.parent.parent) if (folder / NAME).is_file()), None)
    if folder is None:
        return None
    ending = path.relative_to(folder.parent).as_posix()
    for model in read_metafile(folder).values():
        if 'Config' in model and f'/{model["Config"]}'.endswith(f'/{ending}'):
            results = [result for result in model.get('Results', ()) if result['Source'] == 'paper']
            return _figures(results[0]) if results else None
    return None


def _figures(result: dict[str, Any]) -> dict[str, Any]:
    figures = dict(name=result['Name'], **result['Metrics'])
    if 'Per Class' in result:
        figures['per_class'] = result['Per Class']
    return figures
