"""Keys that a component reads, from its signature and its source: nothing here is a written list."""

import ast
import functools
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_READERS = {'get', 'pop', 'setdefault'}
_BUILTIN = {'get', 'pop', 'setdefault', 'items', 'keys', 'values', 'update', 'copy', 'to_dict', 'merge'}


@dataclass
class Parameters:
    """Arguments of a component.

    Attributes:
        known: Names that it takes, with their annotations (``inspect.Parameter.empty`` for none) and defaults.
        open: Whether it takes any other name as well.
    """

    known: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    open: bool = False


@dataclass
class _Keywords:
    """Where a constructor passes its ``**kwargs``.

    Attributes:
        forwarded: To the constructor of a base class.
        parts: To these classes.
        elsewhere: To code that nobody looks into.
        keys: Keys that are read from them.
    """

    forwarded: bool = False
    parts: list[type] = field(default_factory=list)
    elsewhere: bool = False
    keys: set[str] = field(default_factory=set)


@functools.cache
def parameters_of(component: Any) -> Parameters:
    """Return the arguments of a class or function.

    Those of a base class, or of a part, count where the class passes its keyword arguments on to it; where it passes
    them elsewhere, any name is taken.
    """
    found = Parameters()
    if not inspect.isclass(component):
        found.open = not _add(found, component) or _has_keywords(component)
        return found
    for kind in inspect.getmro(component):
        init = vars(kind).get('__init__')
        if init is None or kind is object:
            continue
        if not _add(found, init):
            found.open = True
            return found
        keywords = _keyword_name(init)
        if keywords is None:
            return found
        use = _use_of_keywords(init, keywords)
        found.known.update(
            {name: (inspect.Parameter.empty, inspect.Parameter.empty) for name in use.keys - set(found.known)}
        )
        for part in use.parts:
            inner = parameters_of(part)
            found.known = {**inner.known, **found.known}
            found.open |= inner.open
        found.open |= use.elsewhere
        if not use.forwarded:
            return found
    return found


def declared_by(component: Any, name: str) -> Any:
    """Return the class whose constructor has an argument of this name; the component itself if none has."""
    kinds = inspect.getmro(component) if inspect.isclass(component) else ()
    inits = ((kind, vars(kind).get('__init__')) for kind in kinds)
    return next((kind for kind, init in inits if init and name in inspect.signature(init).parameters), component)


def keys_read(name: str, *owners: Any, passed_on: bool = False) -> frozenset[str] | None:
    """Return the keys of the dict ``name`` that classes, with their bases, or functions read.

    Args:
        name: Name of a variable, or of an attribute of ``self``.
        *owners: Classes and functions whose source is read.
        passed_on: The caller knows where the rest goes if all of them are passed on (``**name``).

    Returns:
        The keys; None if a source cannot be read, or passes all of them on.
    """
    found: set[str] = set()
    for owner in owners:
        kinds = [kind for kind in inspect.getmro(owner) if kind is not object] if inspect.isclass(owner) else [owner]
        for kind in kinds:
            if kind.__module__.partition('.')[0] == 'torch':
                continue
            keys = _keys_read_by(kind, name, passed_on)
            if keys is None:
                return None
            found |= keys
    return frozenset(found)


def passes_on(name: str, *owners: Any) -> bool:
    """Return whether classes or functions pass the whole dict ``name`` to other code, which may read any key of it.

    A method of one of the owners that takes it under the same name does not count: its source is read as well.
    """
    kinds = {kind for owner in owners for kind in (inspect.getmro(owner) if inspect.isclass(owner) else [owner])}
    for kind in kinds - {object}:
        if kind.__module__.partition('.')[0] == 'torch':
            continue
        for function in _functions_of(kind):
            if not _mentions(function.__code__, name):
                continue
            node = _tree_of(function)
            if node is None or any(_gives_away(use, parents, name, kinds) for use, parents in _uses(node, name)):
                return True
    return False


@functools.cache
def attributes_of(kind: type) -> frozenset[str]:
    """Return the names of attributes that a class and its bases, up to those of PyTorch, set or read, and arguments."""
    found: set[str] = set()
    for one in inspect.getmro(kind):
        if one is object or one.__module__.partition('.')[0] == 'torch':
            continue
        for function in _functions_of(one):
            found |= {*function.__code__.co_names, *function.__code__.co_varnames}
    return frozenset(found)


def default_of(component: Any, name: str) -> Any:
    """Return the default of an argument; None if it has none."""
    _, default = parameters_of(component).known.get(name, (None, None))
    return None if default is inspect.Parameter.empty else default


def _add(found: Parameters, function: Callable) -> bool:
    """Add the named parameters of a function; return whether it has a signature."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # names that exist for type checkers only
        hints = {}
    for one in parameters:
        if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY) and one.name != 'self':
            found.known.setdefault(one.name, (hints.get(one.name, inspect.Parameter.empty), one.default))
    return True


def _has_keywords(function: Callable) -> bool:
    try:
        return _keyword_name(function) is not None
    except (TypeError, ValueError):
        return True


def _keyword_name(function: Callable) -> str | None:
    """Return the name of ``**kwargs``."""
    parameters = inspect.signature(function).parameters.values()
    return next((one.name for one in parameters if one.kind is one.VAR_KEYWORD), None)


def _use_of_keywords(function: Any, name: str) -> _Keywords:
    node = _tree_of(function)
    if node is None:
        return _Keywords(forwarded=True, elsewhere=True)
    found = _Keywords()
    for use, parents in _uses(node, name):
        parent = parents[-1]
        if isinstance(parent, ast.keyword) and parent.arg is None:
            called = parents[-2].func if isinstance(parents[-2], ast.Call) else None
            part = function.__globals__.get(called.id) if isinstance(called, ast.Name) else None
            if isinstance(called, ast.Attribute) and called.attr == '__init__':
                found.forwarded = True
            elif inspect.isclass(part):
                found.parts.append(part)
            else:
                found.elsewhere = True
            continue
        key = _key_of(use, parents)
        if key:
            found.keys.add(key)
        elif not (isinstance(parent, ast.Attribute) and parent.attr in _BUILTIN):
            found.elsewhere = True
    return found


@functools.cache
def _keys_read_by(owner: Any, name: str, passed_on: bool) -> frozenset[str] | None:
    found = set()
    for function in _functions_of(owner):
        if not _mentions(function.__code__, name):
            continue
        node = _tree_of(function)
        if node is None:
            return None
        for use, parents in _uses(node, name):
            parent = parents[-1]
            if isinstance(parent, ast.keyword) and parent.arg is None and not passed_on:
                return None
            key = _key_of(use, parents)
            if key:
                found.add(key)
    return frozenset(found)


def _functions_of(owner: Any) -> Iterator[types.FunctionType]:
    """Yield a function, or those that a class itself defines."""
    for member in vars(owner).values() if inspect.isclass(owner) else [owner]:
        parts = (member.fget, member.fset) if isinstance(member, property) else (getattr(member, '__func__', member),)
        for part in parts:
            function = inspect.unwrap(part) if callable(part) and not inspect.isclass(part) else part
            if isinstance(function, types.FunctionType):
                yield function


def _mentions(code: types.CodeType, name: str) -> bool:
    """Return whether compiled code has a variable or attribute of a name: parsing its source takes far longer."""
    inside = (one for one in code.co_consts if isinstance(one, types.CodeType))
    names = (*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars)
    return name in names or any(_mentions(one, name) for one in inside)


def _uses(node: ast.AST, name: str) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
    """Yield each place where a variable, or an attribute of that name, is read, with the nodes around it."""

    def visit(one: ast.AST, parents: list[ast.AST]) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
        named = (isinstance(one, ast.Name) and one.id == name) or (isinstance(one, ast.Attribute) and one.attr == name)
        if named and isinstance(one.ctx, ast.Load):  # type: ignore[attr-defined]
            yield one, parents
        for child in ast.iter_child_nodes(one):
            yield from visit(child, [*parents, one])

    yield from visit(node, [])


def _key_of(use: ast.AST, parents: list[ast.AST]) -> str | None:
    """Return the key that is read, as in ``d.key``, ``d['key']``, ``(d or {}).get('key')`` or ``'key' in d``."""
    above = list(reversed(parents))
    while above and isinstance(above[0], ast.BoolOp):
        above.pop(0)
    if not above:
        return None
    if isinstance(above[0], ast.Attribute):
        if above[0].attr not in _BUILTIN:
            return above[0].attr
        call = above[1] if len(above) > 1 else None
        if above[0].attr in _READERS and isinstance(call, ast.Call) and call.args:
            return _text(call.args[0])
    elif isinstance(above[0], ast.Subscript):
        return _text(above[0].slice)
    elif isinstance(above[0], ast.Compare) and isinstance(above[0].ops[0], (ast.In, ast.NotIn)):
        return _text(above[0].left)
    return None


def _gives_away(use: ast.AST, parents: list[ast.AST], name: str, kinds: set[Any]) -> bool:
    """Return whether a use of a dict is a place from which unknown keys may be read."""
    above = list(reversed(parents))
    while isinstance(above[0], ast.BoolOp):
        use = above.pop(0)
    parent = above[0]
    if isinstance(parent, ast.Attribute):
        called = above[1] if len(above) > 1 else None
        return parent.attr in _BUILTIN and not (parent.attr in _READERS and _has_text(called))
    if isinstance(parent, ast.Subscript):
        return _text(parent.slice) is None
    if isinstance(parent, ast.keyword) and parent.arg is not None:
        return parent.arg != name or not _takes(above[1], None, name, kinds)
    if isinstance(parent, ast.Call) and use in parent.args:
        if isinstance(parent.func, ast.Name) and parent.func.id in ('isinstance', 'bool', 'len', 'print', 'str'):
            return False
        return not _takes(parent, parent.args.index(use), name, kinds)
    if isinstance(parent, (ast.Assign, ast.AnnAssign)):
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        return not all(getattr(one, 'attr', getattr(one, 'id', None)) == name for one in targets)
    return isinstance(parent, (ast.Return, ast.Yield, ast.keyword, ast.Starred, ast.List, ast.Tuple, ast.Dict, ast.For))


def _has_text(call: ast.AST | None) -> bool:
    """Return whether the first argument of a call is a string."""
    return isinstance(call, ast.Call) and bool(call.args) and _text(call.args[0]) is not None


def _takes(call: ast.AST, position: int | None, name: str, kinds: set[Any]) -> bool:
    """Return whether all methods that a call may mean take an argument under a name, by keyword or at a position."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr == '__init__' and position is None:
        return True  # of a base class
    found = False
    for method in (vars(kind)[call.func.attr] for kind in kinds if call.func.attr in vars(kind)):
        if not isinstance(method, types.FunctionType):
            return False
        parameters = list(inspect.signature(method).parameters.values())[1:]
        if position is None:
            found |= name in [one.name for one in parameters]
        elif position < len(parameters) or any(one.kind is one.VAR_POSITIONAL for one in parameters):
            # A method with fewer arguments is another one of that name.
            if [one.name for one in parameters[position : position + 1]] != [name]:
                return False
            found = True
    return found


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _tree_of(function: Callable) -> ast.AST | None:
    """Return the syntax tree of a function; None if there is no source."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, TypeError, SyntaxError):
        return None
