"""The list of the data sets that mmuda reads, made from the docstrings of their readers."""

import ast
import re
from pathlib import Path

HIDDEN = {'PublishedDataset', 'PseudoLabelDataset', 'ISPRSTiles'}
"""Classes that are no data set by themselves."""


def pages(root: Path) -> dict[str, str]:
    """Return the pages as text by their names below docs/.

    Args:
        root: The project.
    """
    parts = []
    for path in sorted((root / 'mmuda' / 'datasets' / 'readers').glob('*.py')):
        for node in ast.parse(path.read_text('utf-8')).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith('Dataset') and node.name not in HIDDEN:
                parts.append(_section(node))
    return {'made/readers.md': '\n'.join(parts)}


def _section(node: ast.ClassDef) -> str:
    text = ast.get_docstring(node) or ''
    words = re.split(r'\n\n(?:Args|Raises|Attributes):', text)[0]
    words = re.sub(r':(class|func|meth|mod):`([^`]+)`', r'{py:\1}`\2`', words).replace('``', '`')
    return f'### {node.name}\n\n{words}\n\nOptions: {{py:class}}`{node.name}`.\n'
