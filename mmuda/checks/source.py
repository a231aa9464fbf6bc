"""Uses of a dict in the source of a function: the keys that are read from it, and the code that it is passed to."""

import ast
import inspect
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import Any

_READERS = {'get', 'pop', 'setdefault'}

METHODS = {*_READERS, 'items', 'keys', 'values', 'update', 'copy', 'to_dict', 'merge'}
"""Methods of dicts and configs; any other attribute of a config is a key."""


def functions_of(owner: Any) -> Iterator[types.FunctionType]:
    """Yield a function itself, or the functions that a class defines without those of its bases."""
    for member in vars(owner).values() if inspect.isclass(owner) else [owner]:
        parts = (member.fget, member.fset) if isinstance(member, property) else (getattr(member, '__func__', member),)
        for part in parts:
            function = inspect.unwrap(part) if callable(part) and not inspect.isclass(part) else part
            if isinstance(function, types.FunctionType):
                yield function


def mentions(code: types.CodeType, name: str) -> bool:
    """Return whether compiled code has a variable or attribute of a name. Parsing its source would be much slower."""
    inside = (one for one in code.co_consts if isinstance(one, types.CodeType))
    names = (*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars)
    return name in names or any(mentions(one, name) for one in inside)


def uses_of(node: ast.AST, name: str) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
    """Yield each node that reads a variable or attribute of a name, with the nodes around it, outermost first."""

    def visit(one: ast.AST, parents: list[ast.AST]) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
        named = (isinstance(one, ast.Name) and one.id == name) or (isinstance(one, ast.Attribute) and one.attr == name)
        if named and isinstance(one.ctx, ast.Load):  # type: ignore[attr-defined]
            yield one, parents
        for child in ast.iter_child_nodes(one):
            yield from visit(child, [*parents, one])

    yield from visit(node, [])


def key_of(use: ast.AST, parents: list[ast.AST]) -> str | None:
    """Return the key that a use of a dict reads; None if it reads none, or one that is not a literal.

    Recognised are ``d.key``, ``d['key']``, ``(d or {}).get('key')`` and ``'key' in d``.
    """
    above = list(reversed(parents))
    while above and isinstance(above[0], ast.BoolOp):
        above.pop(0)
    if not above:
        return None
    if isinstance(above[0], ast.Attribute):
        if above[0].attr not in METHODS:
            return above[0].attr
        call = above[1] if len(above) > 1 else None
        if above[0].attr in _READERS and isinstance(call, ast.Call) and call.args:
            return _text(call.args[0])
    elif isinstance(above[0], ast.Subscript):
        return _text(above[0].slice)
    elif isinstance(above[0], ast.Compare) and isinstance(above[0].ops[0], (ast.In, ast.NotIn)):
        return _text(above[0].left)
    return None


def gives_away(use: ast.AST, parents: list[ast.AST], name: str, kinds: set[Any]) -> bool:
    """Return whether a use of a dict hands it to code that can read keys unknown here.

    Args:
        use: A node from :func:`uses_of`.
        parents: The nodes around it, outermost first.
        name: Name of the dict.
        kinds: Classes whose source is inspected as well.
    """
    above = list(reversed(parents))
    while isinstance(above[0], ast.BoolOp):
        use = above.pop(0)
    parent = above[0]
    if isinstance(parent, ast.Attribute):
        called = above[1] if len(above) > 1 else None
        return parent.attr in METHODS and not (parent.attr in _READERS and _has_text(called))
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
    """Return whether all methods that a call can refer to take an argument of a name, by keyword or at a position."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr == '__init__' and position is None:
        return True  # the constructor of a base class
    found = False
    for method in (vars(kind)[call.func.attr] for kind in kinds if call.func.attr in vars(kind)):
        if not isinstance(method, types.FunctionType):
            return False
        parameters = list(inspect.signature(method).parameters.values())[1:]
        if position is None:
            found |= name in [one.name for one in parameters]
        elif position < len(parameters) or any(one.kind is one.VAR_POSITIONAL for one in parameters):
            # A method with fewer arguments is a different method of the same name.
            if [one.name for one in parameters[position : position + 1]] != [name]:
                return False
            found = True
    return found


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def tree_of(function: Callable) -> ast.AST | None:
    """Return the syntax tree of a function; None if there is no source."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, TypeError, SyntaxError):
        return None
