"""Equations as MathML, which browsers show without a script and without a network."""

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

SIZES = re.compile(r'\\[bB]igg?[lr]?\s*(?P<bracket>[(\[)\]])')
"""A bracket with a size, such as \\Big(; MathML stretches brackets by itself."""

SHORT_FRACTION = re.compile(r'\\frac\s*([0-9a-zA-Z])\s*([0-9a-zA-Z])')
"""A fraction without braces, such as \\frac12, whose digits docutils takes as one number."""

TYPEWRITER = re.compile(r'\\texttt\{([^}]*)\}')
logger = logging.getLogger(__name__)


def to_mathml(tex: str, node: nodes.Node, as_block: bool) -> str:
    """Return an equation as MathML; one that cannot be converted is a warning, and so an error of `make docs`."""
    tex = SHORT_FRACTION.sub(r'\\frac{\1}{\2}', SIZES.sub(_stretched, tex))
    tex = TYPEWRITER.sub(lambda match: rf'\text{{{match[1]}}}'.replace(r'\_', '_'), tex)
    try:
        return tex2mathml(tex, as_block=as_block)
    except MathError as error:
        logger.warning('equation %r: %s', tex, error, location=node)
        return ''


def _stretched(match: re.Match[str]) -> str:
    return (r'\left' if match['bracket'] in '([' else r'\right') + match['bracket']


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write an equation within a line."""
    self.body.append(to_mathml(node.astext(), node, as_block=False))
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write an equation on lines of its own."""
    self.body.append(f'<div class="math">{to_mathml(node.astext(), node, as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the renderer of equations."""
    app.add_html_math_renderer('mathml', (inline, None), (block, None))
