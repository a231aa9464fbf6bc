"""Packages of mmuda import from lower floors only, so that each can be read without the higher ones."""

import ast
import importlib.util
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = (
    {'labeling', 'checkpoints'},
    {'datasets', 'models'},
    {'minicity', 'evaluation', 'visualization', 'engine', 'own_data'},
    {'stages'},
    {'checks'},
    {'conversion', 'comparison', 'deployment', 'doctor', 'prediction', 'scaffolding'},
)
"""The packages ("rooms") of each floor, from the first one up. Modules directly in mmuda/ are the ground floor."""

LEVELS = {room: level for level, rooms in enumerate(FLOORS, start=1) for room in rooms}
OUTSIDE = {'configs', 'tools', 'tests', 'projects', 'benchmarks'}


def imported(source: str, package: str) -> Iterator[str]:
    """Yield the full names of everything that a module imports, at its top level or inside of functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name('.' * node.level + (node.module or ''), package)
            yield from (f'{base}.{name.name}' for name in node.names)


def wrong_imports(path: Path, source: str) -> list[str]:
    """Return the imports of a file below mmuda/ that the floors forbid.

    Args:
        path: Path relative to the project.
        source: Text of the file.
    """
    own = path.parts[1] if len(path.parts) > 2 else None
    highest = LEVELS[own] - 1 if own else 0
    wrong = []
    for name in imported(source, '.'.join(path.parent.parts)):
        top, *below = name.split('.')
        if top in OUTSIDE or name == 'mmuda':  # the package mmuda itself imports all rooms
            wrong.append(name)
        elif top == 'mmuda' and below[0] != own and LEVELS.get(below[0], 0) > highest:
            wrong.append(name)
    return wrong


def modules() -> list[Path]:
    paths = sorted((ROOT / 'mmuda').rglob('*.py'))
    return [path.relative_to(ROOT) for path in paths if path != ROOT / 'mmuda' / '__init__.py']


def test_every_room_has_its_floor():
    rooms = {path.parent.name for path in (ROOT / 'mmuda').glob('*/__init__.py')}
    assert rooms == set(LEVELS)


def test_imports_go_down():
    wrong = {str(path): found for path in modules() if (found := wrong_imports(path, (ROOT / path).read_text('utf-8')))}
    assert not wrong, wrong


def import_graph(sources: dict[str, str]) -> dict[str, set[str]]:
    """Return the modules that each module imports, including imports for type hints.

    Args:
        sources: Texts by full name. A package has the text of its ``__init__``, and its name ends with a dot.
    """
    known = {name.rstrip('.') for name in sources}
    graph: dict[str, set[str]] = {}
    for name, source in sources.items():
        package = name.rstrip('.') if name.endswith('.') else name.rpartition('.')[0]
        names = [found if found in known else found.rpartition('.')[0] for found in imported(source, package)]
        graph[name.rstrip('.')] = {found for found in names if found in known}
    return graph


def test_no_module_imports_itself_by_way_of_others():
    sources = {}
    for path in modules():
        name = '.'.join(path.with_suffix('').parts)
        sources[name.removesuffix('__init__')] = (ROOT / path).read_text('utf-8')
    graph = import_graph(sources)
    assert sum(map(len, graph.values())) > len(graph)
    TopologicalSorter(graph).prepare()  # raises a CycleError that names the modules


def test_a_circle_is_found():
    sources = {'mmuda.a.': 'from .b import c', 'mmuda.a.b': 'from ..d import e', 'mmuda.d': 'from .a import b'}
    with pytest.raises(CycleError):
        TopologicalSorter(import_graph(sources)).prepare()
    TopologicalSorter(import_graph({**sources, 'mmuda.d': 'import os'})).prepare()


@pytest.mark.parametrize(
    ('path', 'source', 'wrong'),
    [
        ('mmuda/models/x.py', 'from mmuda.engine import launch', ['mmuda.engine.launch']),
        ('mmuda/models/adaptors/x.py', 'from ...datasets import pairs', ['mmuda.datasets.pairs']),
        ('mmuda/models/adaptors/x.py', 'from ..losses import entropy', []),
        ('mmuda/models/x.py', 'def f():\n    import mmuda.stages.base', ['mmuda.stages.base']),
        ('mmuda/models/x.py', 'from mmuda.files import write_json', []),
        ('mmuda/models/x.py', 'import mmuda', ['mmuda']),
        ('mmuda/files.py', 'from .labeling import Job', ['mmuda.labeling.Job']),
        ('mmuda/files.py', 'from .ranks import from_main', []),
        ('mmuda/conversion/x.py', 'import projects.mine\nfrom mmuda import stages', ['projects.mine']),
    ],
)
def test_an_import_upwards_or_sideways_is_found(path, source, wrong):
    assert wrong_imports(Path(path), source) == wrong
