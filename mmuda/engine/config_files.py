"""The source code of config files: a config and its bases, the names in them, and pasted environment variables."""

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PASTED = re.compile(r'\{\{[\'"]?\s*\$(\w+)\s*:')
"""mmengine's ``{{$NAME:default}}``. The value of the environment variable replaces it before Python reads the file."""

HARMFUL = re.compile(r'[\'"\\{}\n\r]')
"""Characters that end a Python string, or that mmengine's replacement interprets."""


OWN_SCOPE = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
"""Syntax nodes with a separate scope: names in them are no top-level names."""


@dataclass
class ConfigFile:
    """Names in one config file.

    Attributes:
        path: The file.
        assigned: Top-level names that the file assigns, also in loops, imports, ``with`` and ``if``.
        alone: The names of plain assignments among them. Other names unpack a list, or are loop variables.
        used: Names that the file reads, its own and those of its bases.
        bases: The bases that were found.
        whole: Whether all bases were found.
        dumped: Whether mmengine wrote the file: all keys of a config in alphabetical order, including variables, but
            without the expressions in which they were used.
    """

    path: Path
    assigned: set[str] = field(default_factory=set)
    alone: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    bases: list[Path] = field(default_factory=list)
    whole: bool = True
    dumped: bool = False


def read_chain(path: str | Path) -> list[ConfigFile]:
    """Return a config file and all of its bases. Files that are not Python (YAML, JSON) are left out.

    Raises:
        ValueError: If a file is no valid Python.
    """
    left, found = [Path(path)], {}
    while left:
        one = left.pop(0)
        if one in found or one.suffix != '.py' or not one.is_file():
            continue
        found[one] = _read(one)
        left += found[one].bases
    return list(found.values())


def check_pasted_variables(path: str | Path) -> None:
    """Refuse values of environment variables that would be read as code.

    Shipped configs read variables with ``os.environ.get``, where any value is a plain string.

    Args:
        path: A config; its bases are checked, too.

    Raises:
        ValueError: If a file pastes the value of a variable with quotes, backslashes, braces or line breaks, or is no
            valid Python.
    """
    for file in read_chain(path):
        for name in PASTED.findall(file.path.read_text(encoding='utf-8')):
            value = os.environ.get(name, '')
            if HARMFUL.search(value):
                raise ValueError(
                    f'{file.path} pastes the environment variable {name} into its source, where {value!r} would be '
                    f"read as code: write os.environ.get('{name}', ...) there, after import os"
                )


def _read(path: Path) -> ConfigFile:
    text = path.read_text(encoding='utf-8')
    found = ConfigFile(path)
    found.used |= set(re.findall(r'\{\{\s*_base_\.(\w+)', text))
    # mmengine replaces these before it parses the file. Here a number replaces them.
    try:
        tree = ast.parse(re.sub(r'\{\{[^{}]*\}\}', '0', text))
    except SyntaxError as error:
        raise ValueError(f'config {path}, line {error.lineno}: {error.msg}: {(error.text or "").strip()!r}') from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.used.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == '_base_':
            found.used.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and node.level:
            found.whole = False  # mmengine's new style of configs, which imports its bases
    for node in _same_scope(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.assigned.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found.assigned |= {(one.asname or one.name).partition('.')[0] for one in node.names}
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        found.alone |= names
        if isinstance(node, ast.Assign) and '_base_' in names:
            _find_bases(found, node.value)
    found.dumped = _is_dump(tree)
    return found


def _is_dump(tree: ast.Module) -> bool:
    """Return whether a file looks like a dump of mmengine: only assignments, sorted by name, with the keys of a run."""
    firsts = [node.targets[0] for node in tree.body if isinstance(node, ast.Assign)]
    names = [target.id for target in firsts if isinstance(target, ast.Name)]
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    plain = read <= {'dict'}
    complete = {'default_scope', 'model', 'work_dir'} <= set(names) and '_base_' not in names
    return plain and complete and len(names) == len(tree.body) and names == sorted(names)


def _same_scope(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below a node that have the same scope, without those in functions and comprehensions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, OWN_SCOPE):
            continue
        yield child
        yield from _same_scope(child)


def _find_bases(file: ConfigFile, value: ast.expr) -> None:
    try:
        names = ast.literal_eval(value)
    except ValueError:
        file.whole = False
        return
    for name in [names] if isinstance(names, str) else names:
        base = file.path.parent / name
        if base.is_file():
            file.bases.append(base.resolve())
        else:
            file.whole = False  # a base in another package, such as mmseg::_base_/x.py
