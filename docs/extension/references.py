"""Links from short names in docstrings, such as :class:`BaseAdaptor`, to the one object of that name."""

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Node) -> nodes.Node | None:
    """Return a link to the only Python object whose name ends with the target; None if there are none or several."""
    if node.get('refdomain') != 'py':
        return None
    target = node['reftarget'].lstrip('.~')
    found = [
        (name, entry)
        for name, entry in env.domains.python_domain.objects.items()
        if name.endswith(f'.{target}') and not entry.aliased
    ]
    if len(found) != 1:
        return None
    ((name, entry),) = found
    return make_refnode(app.builder, node['refdoc'], entry.docname, entry.node_id, content, name)
