"""Pages of the methods: the README of each folder, its main configs, its class and the paper to cite.

A README is the only place where a method is described. Its links to other READMEs become links to their pages, and its
links to files become downloads.
"""

import os
import re
import statistics
from pathlib import Path
from typing import Any

from mmuda.metafile import NAME, paper, read_metafile
from mmuda.readme import folders_with_results, markdown_table

INTRODUCTION = """\
# Methods

One page describes one method: the idea, the equations, the results of the paper and ours, the findings, and the options
of the original code with their names here. The papers' figures are quoted; "not run" means that nobody has trained this
config here yet. Each page is the README of the method's folder, so the page and the repository never differ.

"""
GROUPS = (
    ('Baselines', ('source_only', 'adabn')),
    ('Adversarial training', ('adaptsegnet', 'advent', 'fada')),
    ('Pseudo labels in stages', ('cbst', 'intrada', 'sim', 'sdca', 'fda')),
    ('A teacher and a student', ('dacs', 'daformer', 'hrda', 'mic')),
    ('Networks and examples', ('backbones', 'example_project')),
)
MAIN_CONFIGS = ('minicity.py', 'gta2city.py', 'maxsquare_minicity.py', 'gta2city_dacs_mit-b0.py')
ADAPTORS = 'mmuda.models.adaptors'
OBJECTS = {
    'source_only': (f'{ADAPTORS}.SourceOnly',),
    'adabn': (f'{ADAPTORS}.AdaBN',),
    'adaptsegnet': (
        f'{ADAPTORS}.AdaptSegNet',
        f'{ADAPTORS}.adversarial.DomainAdversary',
        f'{ADAPTORS}.FeatureAdversary',
    ),
    'advent': (f'{ADAPTORS}.ADVENT', f'{ADAPTORS}.MinEnt', f'{ADAPTORS}.adversarial.DomainAdversary'),
    'cbst': (
        f'{ADAPTORS}.SelfTraining',
        'mmuda.labeling.strategies.PortionStrategy',
        'mmuda.labeling.ClassBalanced',
        'mmuda.labeling.Global',
        'mmuda.stages.CBSTRounds',
    ),
    'intrada': ('mmuda.stages.RankStage', 'mmuda.labeling.entropy_score', 'mmuda.labeling.rare_factor'),
    'fada': (f'{ADAPTORS}.FADA',),
    'sim': (f'{ADAPTORS}.SIM', 'mmuda.labeling.MedianCap'),
    'sdca': (f'{ADAPTORS}.SDCA', 'mmuda.models.losses.contrastive_bound', 'mmuda.models.memories.ClassStatistics'),
    'dacs': (f'{ADAPTORS}.DACS', 'mmuda.models.teachers.EMATeacher'),
    'daformer': ('projects.daformer.daformer.DAFormer', 'projects.daformer.feature_distance.feature_distance'),
    'hrda': (
        'projects.hrda.fusion.fuse',
        'projects.hrda.hrda_encoder_decoder.HRDAEncoderDecoder',
        'projects.hrda.hrda_head.HRDAHead',
    ),
    'mic': (
        'projects.mic.mic.MaskedConsistency',
        'projects.mic.mic.MaskedSelfTraining',
        'projects.mic.mic.SourceMean',
        'projects.mic.masking.Masking',
    ),
    'fda': (
        'projects.fda.fda.FDA',
        'projects.fda.spectrum.swap_spectrum',
        'projects.fda.robust_entropy.robust_entropy',
        'projects.fda.labels.QuantileCap',
        'projects.fda.rounds.BandRounds',
    ),
    'example_project': (
        'projects.example_project.maxsquare.max_square_loss',
        'projects.example_project.maxsquare.MaxSquare',
    ),
}
"""Classes and functions whose docstrings give the equations and the options of a method."""

CITATION = '## Cite the paper\n\nIf you publish results of this method, cite its paper, [{title}]({url}), {venue}:\n'
LINK = re.compile(r'(?<!!)\[(?P<text>[^\]\n]*(?:\n[^\]\n]+)?)\]\((?P<target>[^)\s:]+)\)')
FENCE = re.compile(r'(^```.*?^```$)', re.M | re.S)
INDENTED = re.compile(r'(?<=\n\n)(?:    \S[^\n]*\n)(?:(?:    [^\n]*)?\n)*')


def pages(root: Path) -> dict[str, str]:
    """Return the pages as text by their names below docs/.

    Args:
        root: The project.
    """
    folders = {folder.name: folder for folder in [*folders_with_results(root), root / 'projects' / 'example_project']}
    groups = [(title, [name for name in names if name in folders]) for title, names in GROUPS]
    others = sorted(set(folders) - {name for _, names in groups for name in names})
    found = {f'methods/{name}.md': _page(root, folder) for name, folder in folders.items()}
    found['methods/index.md'] = INTRODUCTION + '\n'.join(
        _toctree(title, names) for title, names in [*groups, ('More', others)] if names
    )
    found['made/minicity_table.md'] = minicity_table(root)
    for name, readme in OTHER_READMES.items():
        found[f'made/{name}.md'] = page_text(root, root / readme, Path('made'))
    return found


OTHER_READMES = {'plugins': 'projects/README.md', 'released': 'tools/model_converters/README.md'}
"""READMEs that a page of docs/ includes, by the name of the generated file in docs/made/."""


def minicity_table(root: Path) -> str:
    """Return the table of our results on MiniCity, of all methods that have been run with several seeds."""
    rows = [['method', 'mIoU', 'with batch-norm statistics of the target']]
    for folder in folders_with_results(root):
        for name, model in read_metafile(folder).items():
            for result in model.get('Results', []):
                if (result['Source'], result['Dataset']) != ('ours', 'MiniCity val') or len(result['Seeds']) < 2:
                    continue
                title = f'[{name}]({os.path.relpath("methods", "how_to")}/{folder.name}.md)'
                columns = (result['Metrics'], result.get('Target Statistics', {}))
                rows.append([title, *(_spread(column.get('mIoU', [])) for column in columns)])
    return markdown_table(rows) + '\n'


def _spread(values: list[float]) -> str:
    """Return mean and standard deviation (n - 1) over seeds."""
    # Spaces that do not break: narrow windows keep a figure in one line.
    return f'{statistics.fmean(values):.1f}\u00a0\u00b1\u00a0{statistics.stdev(values):.1f}' if values else '-'


def page_text(root: Path, readme: Path, place: Path) -> str:
    """Return a README for the site: links lead to pages or files, indented commands are code of the shell.

    Args:
        root: The project.
        readme: The file.
        place: Folder of the page below docs/.
    """
    text = readme.read_text('utf-8')
    text = LINK.sub(lambda match: f'[{match["text"]}]({_target(root, readme, match["target"], place)})', text)
    parts = FENCE.split(text)  # text, code, text, ...
    parts[::2] = [INDENTED.sub(_fenced, part) for part in parts[::2]]
    return ''.join(parts)


def _page(root: Path, folder: Path) -> str:
    text = page_text(root, folder / 'README.md', Path('methods'))
    configs = sorted([*folder.glob('*.py')] if folder.parent.name == 'configs' else folder.glob('configs/*.py'))
    shown = [path for path in configs if path.name in MAIN_CONFIGS] or configs[:1]
    parts = [text.rstrip(), '\n## Configs\n']
    parts += [_config(root, path) for path in shown]
    rest = [f'`{path.relative_to(root)}`' for path in configs if path not in shown]
    if rest:
        parts.append(f'The folder also holds {", ".join(rest)}.\n')
    parts += [_code(folder), _citation(folder)]
    return '\n'.join(parts)


def _config(root: Path, path: Path) -> str:
    name = path.relative_to(root).as_posix()
    return f'```{{literalinclude}} ../../{name}\n:language: python\n:caption: {name}\n```\n'


def _code(folder: Path) -> str:
    """Return the section with the docstrings of the method: equations, options, errors.

    Classes of the package are described in the API reference as well, so they get no second entry in the index.
    """
    parts = []
    for name in OBJECTS.get(folder.name, ()):
        directive = 'autoclass' if name.rpartition('.')[2][0].isupper() else 'autofunction'
        options = '' if name.startswith('projects.') else '   :no-index:\n'
        options += '   :no-members:\n' if directive == 'autoclass' else ''
        parts.append(f'.. {directive}:: {name}\n{options}')
    body = '\n'.join(parts)
    return f'## Equations and options\n\n```{{eval-rst}}\n{body}```\n' if parts else ''


def _citation(folder: Path) -> str:
    """Return the section with the link to the paper and its BibTeX entry; an empty text if no metafile names one."""
    found = paper(folder) if (folder / NAME).is_file() else None
    if not found:
        return ''
    venue = f'{found["Venue"]} {found["Year"]}' if 'Venue' in found else str(found['Year'])
    introduction = CITATION.format(title=found['Title'], url=found['URL'], venue=venue)
    return f'{introduction}\n```bibtex\n{bibtex(found)}\n```\n'


def bibtex(entry: dict[str, Any]) -> str:
    """Return the BibTeX entry of a paper.

    Args:
        entry: ``Paper`` of a metafile: ``Title``, ``Authors``, ``Year``, ``URL`` and, for a conference, ``Venue``.
    """
    first_author = entry['Authors'][0].split()[-1]
    word = re.search(r'\w{3,}', entry['Title'])[0]
    fields = {'title': f'{{{entry["Title"]}}}', 'author': ' and '.join(entry['Authors'])}
    if 'Venue' in entry:
        fields['booktitle'] = entry['Venue']
    fields |= {'year': entry['Year'], 'url': entry['URL']}
    lines = [f'  {name} = {{{value}}},' for name, value in fields.items()]
    kind = 'inproceedings' if 'Venue' in entry else 'misc'
    return '\n'.join([f'@{kind}{{{first_author}{entry["Year"]}{word},'.lower(), *lines, '}'])


def _toctree(title: str, names: list[str]) -> str:
    return f'```{{toctree}}\n:caption: {title}\n:maxdepth: 1\n\n' + '\n'.join(names) + '\n```\n'


def _target(root: Path, readme: Path, target: str, place: Path) -> str:
    """Return the target of a link of a README as the page needs it."""
    if target.startswith('#'):
        return target
    path, mark, anchor = target.partition('#')
    file = (readme.parent / path).resolve()
    if file.is_dir():
        file /= 'README.md'
    page = page_of(root, file)
    return os.path.relpath(root / 'docs' / page if page else file, root / 'docs' / place) + mark + anchor


def page_of(root: Path, file: Path) -> str | None:
    """Return the page of the site for a file of the project, None if it has none."""
    if file.is_relative_to(root / 'docs'):
        return file.relative_to(root / 'docs').as_posix()
    name = file.relative_to(root).as_posix()
    known = {'README.md': 'index.md', 'projects/README.md': 'how_to/plugins.md'}
    known['tools/model_converters/README.md'] = 'how_to/convert.md'
    if name in known:
        return known[name]
    folder = file.parent
    if file.name == 'README.md' and folder.parent in (root / 'configs', root / 'projects'):
        return f'methods/{folder.name}.md'
    return None


def _fenced(match: re.Match[str]) -> str:
    code = ''.join(line[4:] if line.startswith('    ') else line for line in match[0].rstrip('\n').splitlines(True))
    return f'```bash\n{code}\n```\n\n'
