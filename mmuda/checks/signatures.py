"""Keys that a component reads. They are found in its signature and its source, so that no list must be kept."""

import ast
import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .source import METHODS, functions_of, gives_away, key_of, mentions, tree_of, uses_of


@dataclass
class Parameters:
    """Arguments of a component.

    Attributes:
        known: Names of the arguments, each with its annotation and its default (``inspect.Parameter.empty`` for none).
        open: Whether the component takes any other name as well.
    """

    known: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    open: bool = False


@dataclass
class _Keywords:
    """Uses of the ``**kwargs`` of a constructor.

    Attributes:
        forwarded: Whether they are passed to the constructor of a base class.
        parts: Classes that they are passed to.
        elsewhere: Whether they are passed to code that is not inspected.
        keys: Keys that are read from them.
    """

    forwarded: bool = False
    parts: list[type] = field(default_factory=list)
    elsewhere: bool = False
    keys: set[str] = field(default_factory=set)


@functools.cache
def parameters_of(component: Any) -> Parameters:
    """Return the arguments of a class or function.

    If a constructor passes its ``**kwargs`` to its base class or to another class, the arguments of that class count as
    well. If it passes them to other code, any name is accepted.
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
        passed_on: Accept sources that pass all keys on (``**name``): the caller checks the functions that take them.

    Returns:
        The keys; None if a source cannot be read, or if it passes all keys on and ``passed_on`` is False.
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

    A call of a method of one of the owners that takes the dict under the same name does not count, because the source
    of that method is inspected as well.
    """
    kinds = {kind for owner in owners for kind in (inspect.getmro(owner) if inspect.isclass(owner) else [owner])}
    for kind in kinds - {object}:
        if kind.__module__.partition('.')[0] == 'torch':
            continue
        for function in functions_of(kind):
            if not mentions(function.__code__, name):
                continue
            node = tree_of(function)
            if node is None or any(gives_away(use, parents, name, kinds) for use, parents in uses_of(node, name)):
                return True
    return False


@functools.cache
def attributes_of(kind: type) -> frozenset[str]:
    """Return all names (attributes, arguments, variables) in the methods of a class and its bases outside PyTorch."""
    found: set[str] = set()
    for one in inspect.getmro(kind):
        if one is object or one.__module__.partition('.')[0] == 'torch':
            continue
        for function in functions_of(one):
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
    node = tree_of(function)
    if node is None:
        return _Keywords(forwarded=True, elsewhere=True)
    found = _Keywords()
    for use, parents in uses_of(node, name):
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
        key = key_of(use, parents)
        if key:
            found.keys.add(key)
        elif not (isinstance(parent, ast.Attribute) and parent.attr in METHODS):
            found.elsewhere = True
    return found


@functools.cache
def _keys_read_by(owner: Any, name: str, passed_on: bool) -> frozenset[str] | None:
    found = set()
    for function in functions_of(owner):
        if not mentions(function.__code__, name):
            continue
        node = tree_of(function)
        if node is None:
            return None
        for use, parents in uses_of(node, name):
            parent = parents[-1]
            if isinstance(parent, ast.keyword) and parent.arg is None and not passed_on:
                return None
            key = key_of(use, parents)
            if key:
                found.add(key)
    return frozenset(found)
