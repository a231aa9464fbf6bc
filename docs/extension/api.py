"""Pages of the API reference: one for each package, with all modules in it."""

import ast
from pathlib import Path

TITLE = 'API reference'
INTRODUCTION = """\
One page describes one package. The packages stand in the order of the floors: a package imports only from packages
above it in this list. Shapes are written as (N, C, H, W): images, channels or classes, rows, columns.
"""
FLOORS = (
    ('labeling', 'checkpoints'),
    ('datasets', 'models'),
    ('minicity', 'evaluation', 'visualization', 'engine', 'own_data'),
    ('stages',),
    ('checks',),
    ('comparison', 'conversion', 'deployment', 'doctor', 'prediction', 'scaffolding'),
)


def pages(root: Path) -> dict[str, str]:
    """Return the pages as text by their names below docs/.

    Args:
        root: The project.
    """
    ground = [path for path in sorted((root / 'mmuda').glob('*.py')) if path.stem != '__init__']
    found = {'api/mmuda.rst': _page('mmuda', [root / 'mmuda' / '__init__.py', *ground])}
    rooms = [room for floor in FLOORS for room in floor]
    others = {path.parent.name for path in (root / 'mmuda').glob('*/__init__.py')} - set(rooms)
    for room in [*rooms, *sorted(others)]:
        for package in sorted((root / 'mmuda' / room).rglob('__init__.py')):
            name = '.'.join(package.parent.relative_to(root).parts)
            files = [path for path in sorted(package.parent.glob('*.py')) if path != package]
            found[f'api/{name}.rst'] = _page(name, [package, *files])
    names = [name.removeprefix('api/').removesuffix('.rst') for name in found]
    tree = '.. toctree::\n   :hidden:\n\n' + '\n'.join(f'   {name}' for name in names)
    listed = '\n'.join(f':doc:`{name}`\n   {_summary(root, name)}' for name in names)
    found['api/index.rst'] = f'{_heading(TITLE, "=")}\n{INTRODUCTION}\n{listed}\n\n{tree}\n'
    return found


def _summary(root: Path, package: str) -> str:
    """Return the first sentence of the docstring of a package."""
    text = ast.get_docstring(ast.parse((root / package.replace('.', '/') / '__init__.py').read_text('utf-8'))) or ''
    return ' '.join(text.split('\n\n')[0].split())


def _page(package: str, files: list[Path]) -> str:
    parts = [_heading(package, '=')]
    for path in files:
        tree = ast.parse(path.read_text('utf-8'))
        if path.name == '__init__.py':
            defines = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)
            parts.append(_module(package, members=defines))
        elif _has_public_names(tree):
            parts.append(f'{_heading(path.stem, "-")}\n{_module(f"{package}.{path.stem}")}')
    return '\n'.join(parts)


def _module(name: str, members: bool = True) -> str:
    return f'.. automodule:: {name}\n' + ('' if members else '   :no-members:\n')


def _has_public_names(tree: ast.Module) -> bool:
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return any(not name.startswith('_') for name in names)


def _heading(text: str, sign: str) -> str:
    return f'{text}\n{sign * len(text)}\n'
