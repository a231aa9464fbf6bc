"""Configure the site: `make docs` writes it to docs/_build/html."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from mmuda.version import __version__  # noqa: E402

project = 'mmuda'
author = 'the authors of mmuda'
copyright = f'2026, {author}'  # noqa: A001
version = release = __version__
language = 'en'

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx_copybutton',
    'sphinx_design',
    'extension',
]
exclude_patterns = ['_build', 'extension', 'made']
root_doc = 'index'

myst_enable_extensions = ['colon_fence', 'deflist', 'dollarmath']
myst_heading_anchors = 4
myst_links_external_new_tab = False
html_math_renderer = 'mathml'

autodoc_default_options = {'members': True, 'show-inheritance': True, 'member-order': 'bysource'}
autodoc_typehints_format = 'short'
autodoc_inherit_docstrings = False  # an override that says nothing new has no entry
toc_object_entries_show_parents = 'hide'
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # attributes are a list, not entries that autodoc writes once more
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

# Indented blocks and literal blocks hold shell commands more often than anything else.
highlight_language = 'text'
pygments_style = 'friendly'
pygments_dark_style = 'monokai'
copybutton_prompt_text = '$ '

html_theme = 'furo'
html_title = f'mmuda {release}'
html_static_path = ['_static']
html_css_files = ['site.css']
html_show_sphinx = False
html_copy_source = False
html_theme_options = {'navigation_with_keys': True, 'top_of_page_buttons': []}
