"""Sphinx extension of the site: pages that are made from the package, the configs and the READMEs."""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from . import api, datasets, mathml, methods, references

DOCS = Path(__file__).resolve().parents[1]


def write_pages(app: Sphinx) -> None:
    """Write the generated pages before Sphinx looks for sources."""
    pages = {**api.pages(DOCS.parent), **methods.pages(DOCS.parent), **datasets.pages(DOCS.parent)}
    for folder in ('api', 'methods', 'made'):
        for path in (DOCS / folder).glob('*'):
            if path.relative_to(DOCS).as_posix() not in pages:
                path.unlink()
    for name, text in pages.items():
        path = DOCS / name
        path.parent.mkdir(exist_ok=True)
        if not path.is_file() or path.read_text('utf-8') != text:  # an unchanged page is not built again
            path.write_text(text, 'utf-8')


def skip_fields(app: Sphinx, what: str, name: str, member: object, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples, which their class describes under "Attributes"."""
    return True if type(member).__name__ == '_tuplegetter' else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect('builder-inited', write_pages)
    app.connect('autodoc-skip-member', skip_fields)
    app.connect('missing-reference', references.resolve)
    mathml.setup(app)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
