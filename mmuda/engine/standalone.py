"""Source code of some components of mmuda, as one module that needs no mmuda."""

import ast
import inspect
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

OWN = ('mmuda', 'projects')
"""Packages whose code is copied; all other code is imported."""


class Extract:
    """Definitions of classes and all code of mmuda that they use, in an order in which they can be executed.

    Raises:
        ValueError: From :meth:`add`, if two modules define different things under one name.
    """

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}
        self._imports: dict[str, str] = {}
        self._definitions: dict[str, tuple[str, ast.stmt]] = {}

    def add(self, component: type) -> None:
        """Add the definition of a class and all code of mmuda that it uses."""
        self._add(component.__module__, component.__name__)

    def text(self, title: str) -> str:
        """Return the source code of the module.

        Args:
            title: Docstring of the module.
        """
        lines = [f'"""{title}"""', '', *sorted(set(self._imports.values())), '']
        for _, node in self._definitions.values():
            lines += ['', ast.unparse(node), '']
        return '\n'.join(lines)

    def _add(self, module: str, name: str) -> None:
        source = self._source(module)
        node = source.definitions.get(name)
        if node is None:
            self._add_import(source, name)
            return
        known = self._definitions.get(name)
        if known is not None:
            if known[0] != module:
                raise ValueError(f'{known[0]} and {module} both define {name}: one file can hold only one, rename one')
            return
        if name in source.open:
            return  # a definition that uses itself
        source.open.add(name)
        for used in _names(node):
            if used in source.definitions or used in source.imports:
                self._add(module, used)
        self._definitions[name] = module, node

    def _add_import(self, source: '_Source', name: str) -> None:
        target, original = source.imports[name]
        if target.split('.')[0] not in OWN:
            line = f'import {target}' if original is None else f'from {target} import {original}'
            whole = target if original is None else original
            self._imports[name] = line if whole == name else f'{line} as {name}'
        elif original is None or original != name:
            raise ValueError(f'{source.name} imports {target} as {name}: import single names of mmuda, without "as"')
        else:
            self._add(*_home(target, original))

    def _source(self, module: str) -> '_Source':
        if module not in self._sources:
            self._sources[module] = _Source(sys.modules[module])
        return self._sources[module]


class _Source:
    """Top-level definitions and imports of a module."""

    def __init__(self, module: ModuleType) -> None:
        self.name = module.__name__
        self.open: set[str] = set()
        self.definitions: dict[str, ast.stmt] = {}
        self.imports: dict[str, tuple[str, str | None]] = {}
        package = module.__package__ or ''
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                self.definitions[node.name] = _unregistered(node)
            elif isinstance(node, ast.Assign):
                self.definitions.update({found.id: node for found in _targets(node.targets)})
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self.definitions[node.target.id] = node
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    self.imports[alias.asname or alias.name.split('.')[0]] = (alias.name, None)
            elif isinstance(node, ast.ImportFrom):
                base = package.rsplit('.', node.level - 1)[0] if node.level > 1 else package
                target = node.module or '' if not node.level else '.'.join(filter(None, [base, node.module]))
                for alias in node.names:
                    self.imports[alias.asname or alias.name] = (target, alias.name)


def _targets(nodes: Iterable[ast.expr]) -> list[ast.Name]:
    return [found for node in nodes for found in ast.walk(node) if isinstance(found, ast.Name)]


def _names(node: ast.stmt) -> list[str]:
    """Return the names that a definition uses, each once, in their order."""
    return list(dict.fromkeys(found.id for found in ast.walk(node) if isinstance(found, ast.Name)))


def _home(module: str, name: str) -> tuple[str, str]:
    """Return the module that defines an imported name, and the name."""
    value: Any = getattr(sys.modules[module], name)
    home = getattr(value, '__module__', module)
    return (home, name) if home in sys.modules and home.split('.')[0] in OWN else (module, name)


def _unregistered(node: ast.stmt) -> ast.stmt:
    """Remove the registering decorators: a copy must not replace the component of mmuda in a registry."""
    if isinstance(node, ast.ClassDef):
        node.decorator_list = [one for one in node.decorator_list if not _registers(one)]
    return node


def _registers(decorator: ast.expr) -> bool:
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return getattr(function, 'attr', '') == 'register_module'
