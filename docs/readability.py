"""Measure how long sentences are, and how much of the code has docstrings: python docs/readability.py

Prints a line for the README, the pages of the site, the READMEs of methods, and the docstrings of the package: the
sentences, the words in a sentence, and the share of sentences with more than 25 words. Code, tables, headings and lists
of arguments do not count. The last line counts public modules, classes, functions and methods with a docstring.
"""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LONG = 25
"""Words of a sentence that a reader still takes in at once."""

NO_PROSE = re.compile(
    r'^```.*?^```$|^:::[^\n]*$|<!--.*?-->|^\$\$.*?\$\$$|^ {4}[^\n]*$|^\|[^\n]*$|^#+ [^\n]*$|^\.\. \w+::.*?(?=\n\S|\Z)',
    re.M | re.S,
)
SECTION = re.compile(r'^(Args|Returns|Raises|Yields|Attributes):$.*?(?=^\S|\Z)', re.M | re.S)
END = re.compile(r'(?<=[.!?:])["\')*`]*\s+(?=[\w`*"\'(\[])')
ABBREVIATION = re.compile(r'\b(e\.g|i\.e|et al|eqs?|vs|cf|Fig|Sec|no)\.')


def sentences(text: str) -> Iterator[int]:
    """Yield the number of words of each sentence of a text in Markdown, or of a docstring."""
    text = ABBREVIATION.sub(r'\1', NO_PROSE.sub('\n\n', text))
    text = re.sub(r'\]\([^)]*\)', ']', text)
    for paragraph in re.split(r'\n\s*\n|^\s*[-*] |^\s*\d+\. ', text, flags=re.M):
        for sentence in END.split(' '.join(paragraph.split())):
            count = len(re.findall(r'[A-Za-z][\w\'-]*', sentence))
            if count > 1:
                yield count


def docstrings(root: Path) -> Iterator[str | None]:
    """Yield the docstring of each public module, class, function and method below a folder, None if there is none."""
    for path in sorted(root.rglob('*.py')):
        tree = ast.parse(path.read_text('utf-8'))
        if tree.body:
            yield ast.get_docstring(tree)
        yield from _docstrings(tree)


def _docstrings(node: ast.AST) -> Iterator[str | None]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef) and not child.name.startswith('_'):
            yield ast.get_docstring(child)
            if isinstance(child, ast.ClassDef):
                yield from _docstrings(child)


def line(name: str, texts: Iterator[str] | list[str]) -> str:
    """Return the figures of some texts."""
    counts = [count for text in texts for count in sentences(text)]
    share = sum(count > LONG for count in counts) / len(counts)
    return (
        f'{name:<22}{len(counts):>10}{statistics.fmean(counts):>10.1f}{statistics.median(counts):>8.0f}{share:>10.1%}'
    )


def main() -> None:
    found = list(docstrings(ROOT / 'mmuda'))
    pages = [
        *(ROOT / 'docs').glob('*.md'),
        *(ROOT / 'docs').glob('tutorials/*.md'),
        *(ROOT / 'docs').glob('how_to/*.md'),
    ]
    readmes = [*ROOT.glob('configs/*/README.md'), *ROOT.glob('projects/*/README.md')]
    print(f'{"":<22}{"sentences":>10}{"words":>10}{"median":>8}{"> 25":>10}')
    print(line('README', [(ROOT / 'README.md').read_text('utf-8')]))
    print(line('pages of the site', (path.read_text('utf-8') for path in pages)))
    print(line('READMEs of methods', (path.read_text('utf-8') for path in readmes)))
    print(line('docstrings', (SECTION.sub('', text) for text in found if text)))
    print(f'docstrings: {sum(text is not None for text in found)} of {len(found)} public names')


if __name__ == '__main__':
    main()
