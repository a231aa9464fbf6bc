"""Links from short names in docstrings, such as :class:`BaseAdaptor`, to the one object of that name."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

_index: dict[str, list[str]] = {}
"""Full names of Python objects by their last part, filled at the first use; links are resolved after all reading."""


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Node) -> nodes.Node | None:
    """Return a link to the only Python object whose name ends with the target; None if there are none or several."""
    if node.get('refdomain') != 'py':
        return None
    objects = env.domains.python_domain.objects
    if not _index:
        _index.update(_by_last_part(objects))
    target = node['reftarget'].lstrip('.~')
    found = [name for name in _index.get(target.rpartition('.')[2], ()) if f'.{name}'.endswith(f'.{target}')]
    if len(found) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(app.builder, node['refdoc'], entry.docname, entry.node_id, content, found[0])


def _by_last_part(objects: Mapping[str, Any]) -> dict[str, list[str]]:
    names = defaultdict(list)
    for name, entry in objects.items():
        if not entry.aliased:
            names[name.rpartition('.')[2]].append(name)
    return names
