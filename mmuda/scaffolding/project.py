"""A new project: the folder of a plug-in with a method, a config, a test and a README."""

import keyword
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mmuda.files import write_atomically
from mmuda.own_data.literals import literal
from mmuda.own_data.method_config import base_file
from mmuda.readme import with_results

TEMPLATES = Path(__file__).parent / 'templates'
METHOD = 'method.py.jinja'
"""Template of the file that is named after the project."""


def write_project(name: str, root: Path, class_name: str | None = None) -> list[Path]:
    """Write the folder ``projects/NAME`` of a new plug-in.

    Args:
        name: Name of the project, which is also the name of its module.
        root: Folder that holds ``projects/``.
        class_name: Name of the class of the method; by default ``my_method`` becomes ``MyMethod``.

    Returns:
        The files that were written.

    Raises:
        ValueError: If the name cannot be the name of a module, or the other one that of a class.
        FileExistsError: If the folder exists and is not empty.
    """
    check_name(name)
    if class_name is not None and (not class_name.isidentifier() or keyword.iskeyword(class_name)):
        raise ValueError(f'{class_name!r} cannot be the name of a class: choose one such as {class_name_of(name)}')
    folder = root / 'projects' / name
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f'{folder} exists and is not empty: choose another name, or delete the folder')
    files = project_files(name, folder, class_name)
    for file, text in files.items():
        write_atomically(folder / file, text.encode())
    return [folder / file for file in files]


def project_files(name: str, folder: Path, class_name: str | None = None) -> dict[str, str]:
    """Return the text of each file of a project, by its path relative to the folder of the project.

    Args:
        name: Name of the project.
        folder: Folder of the project, from which the config names its base.
        class_name: See :func:`write_project`.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    values = dict(
        name=name,
        class_name=class_name or class_name_of(name),
        base=literal(base_file(folder / 'configs', 'source_only/minicity.py')),
    )
    files = {}
    for path in sorted(TEMPLATES.rglob('*.jinja')):
        template = path.relative_to(TEMPLATES).as_posix()
        file = f'{name}.py' if template == METHOD else template.removesuffix('.jinja').replace('NAME', name)
        files[file] = environment.get_template(template).render(values)
    files['README.md'] = with_results(files['README.md'], [{'Name': f'{name}/minicity'}])
    return files


def class_name_of(name: str) -> str:
    """Return the name of the class of a project: ``my_method`` becomes ``MyMethod``."""
    return ''.join(part[:1].upper() + part[1:] for part in name.split('_'))


def check_name(name: str) -> None:
    """Check that a name can be the name of a project.

    Raises:
        ValueError: If it cannot be the name of a module, or is ``configs`` or ``tests``.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name != name.lower() or name in ('configs', 'tests'):
        raise ValueError(
            f'{name!r} cannot be the name of a project: it becomes a module, so use lower-case letters, digits and '
            'underscores, such as my_method'
        )
