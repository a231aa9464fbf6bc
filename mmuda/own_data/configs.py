"""Config files of a pair of data sets and of a first method, as text."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmuda.files import write_atomically

from .classes import Classes
from .literals import comment, literal, wrapped_dict, wrapped_tuple
from .pairing import Pairing
from .plan import Plan
from .recipes import Method, Network, configs_folder
from .survey import evenly

PAIR = 'pair.py'
WATCHED = 100
_RESIZE = "dict(type='Resize', keep_ratio=True, backend='pillow', interpolation='bicubic')"
"""Target images that validations without labels look at."""

_VARIABLE_HEAD = """import os

root = os.environ.get({name}, {root})
"""


@dataclass
class Domain:
    """A data set of a pair.

    Attributes:
        name: ``source``, ``target`` or ``val``.
        pairing: Its images.
        channel: Channel of label files that holds the ids; None if there is one channel.
        table: Meaning of its label values, if it is another than that of the source.
    """

    name: str
    pairing: Pairing
    channel: int | None = None
    table: dict | None = None


@dataclass
class Pair:
    """All that the config of a pair holds.

    Attributes:
        name: Of the pair, and of its folder.
        source: Labelled images.
        target: Images without labels.
        val: More images of the target, to validate with; None validates with some images of the target.
        classes: Classes of the network.
        plan: Sizes and lengths.
        command: Command line that wrote it.
        root_variable: Environment variable with the folder that holds all; None writes absolute paths.
    """

    name: str
    source: Domain
    target: Domain
    val: Domain | None
    classes: Classes
    plan: Plan
    command: str
    root_variable: str | None = None

    @property
    def validates(self) -> bool:
        """Whether there are labels to validate with."""
        return self.val is not None and bool(self.val.pairing.labels)

    @property
    def watched(self) -> Domain:
        """The images that validations look at, or take some of."""
        return self.val or self.target

    @property
    def domains(self) -> list[Domain]:
        """The data sets that there are."""
        return [domain for domain in (self.source, self.target, self.val) if domain is not None]


def pair_files(pair: Pair) -> dict[str, str]:
    """Return the files of a pair, text by name: the config and the lists of images."""
    files = {PAIR: _pair_config(pair)}
    for domain in pair.domains if pair.validates else (pair.source, pair.target):
        files[f'{domain.name}.txt'] = _list(domain.pairing.pairs)
    if not pair.validates:
        files['watched.txt'] = _list(evenly(pair.watched.pairing.pairs, WATCHED))
    return files


def method_config(pair: Pair, method: Method, network: Network, folder: Path) -> str:
    """Return the config of a method.

    Args:
        pair: The pair.
        method: The method.
        network: Its network.
        folder: Where the config will be: bases are named from there.
    """
    plan = pair.plan
    bases = [_base(folder, network.file), f'./{PAIR}', _base(folder, '_base_/schedules/own_data.py')]
    model = {
        **method.model,
        'data_preprocessor': 'dict(size=_base_.crop_size)',
        'segmentor': 'dict(decode_head=dict(num_classes=len(_base_.classes)))',
    }
    optimizers = {child: f'dict(optimizer={text})' for child, text in method.optimizers.items()}
    if network.rate is not None:
        optimizers = {'segmentor': f'dict(optimizer=dict(lr={network.rate}))', **optimizers}
    lines = [
        comment(f'{method.title} on {pair.name}: {network.title}. See configs/{method.folder}/README.md.'),
        '_base_ = [',
        *(f'    {literal(base)},' for base in bases),
        ']',
        _call('model', model),
    ]
    if optimizers:
        lines.append(_call('optim_wrapper', optimizers))
    lines += [
        f'train_cfg = dict(max_iters={plan.iterations}, val_interval={plan.interval})',
        f'param_scheduler = [dict(_base_.param_scheduler[0], end={plan.iterations + 1})]',
        f'default_hooks = dict(checkpoint=dict(interval={plan.interval}))',
    ]
    return '\n'.join(lines) + '\n'


def write_files(folder: Path, files: dict[str, str], overwrite: bool) -> list[Path]:
    """Write files that are new, or others than before; nothing is written if one may not be replaced.

    Args:
        folder: Where they go.
        files: Text by name.
        overwrite: Whether files with another text may be replaced.

    Returns:
        The files that were written.

    Raises:
        FileExistsError: If a file with another text is there, without ``overwrite``.
    """
    changed = {name: text for name, text in files.items() if not _holds(folder / name, text)}
    there = [name for name in changed if (folder / name).exists()]
    if there and not overwrite:
        raise FileExistsError(
            f'{folder} has {", ".join(there)} with another text: give another --name or --out, or replace them with '
            '--overwrite'
        )
    for name, text in changed.items():
        write_atomically(folder / name, text.encode())
    return [folder / name for name in changed]


def check_folder(folder: Path) -> None:
    """Check that a config in a folder can name the files beside it: mmengine pastes its path into the config.

    Raises:
        ValueError: If signs in the path would end the string there.
    """
    text = str(folder.resolve())
    if "'''" in text or text.endswith("'") or any(sign in text for sign in '\\{}\n\r'):
        raise ValueError(
            f'{text!r} has signs in it that a config cannot hold in its own path: choose --out without backslashes, '
            'braces, line breaks and a quote at its end'
        )


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _list(pairs: Sequence[tuple[str, str | None]]) -> str:
    return ''.join(f'{image}\n' if label is None else f'{image}\t{label}\n' for image, label in pairs)


def _base(folder: Path, file: str) -> str:
    """Return the name of a shipped config as a base: relative if both are in one tree, else absolute."""
    base = configs_folder() / file
    folder = folder.resolve()
    relative = os.path.relpath(base, folder)
    return relative if folder.is_relative_to(configs_folder().parent) else str(base)


def _call(name: str, arguments: dict[str, str]) -> str:
    """Return an assignment of a dict with an argument a line."""
    return '\n'.join([f'{name} = dict(', *(f'    {key}={text},' for key, text in arguments.items()), ')'])


def _pair_config(pair: Pair) -> str:
    head = [comment(line) for line in _head(pair)]
    roots = {domain.name: domain.pairing.root for domain in pair.domains}
    if pair.root_variable is not None:
        common = Path(os.path.commonpath(list(roots.values())))
        head.append(_VARIABLE_HEAD.format(name=literal(pair.root_variable), root=literal(str(common))).rstrip())
        for name, root in roots.items():
            below = root.relative_to(common).as_posix()
            head.append(f'{name}_root = root' + ('' if below == '.' else f' + {literal("/" + below)}'))
    else:
        head += [f'{name}_root = {literal(str(root))}' for name, root in roots.items()]
    return '\n'.join([*head, _classes(pair), _pipelines(pair), _loaders(pair)]) + '\n'


def _head(pair: Pair) -> list[str]:
    source, target = len(pair.source.pairing.pairs), len(pair.target.pairing.pairs)
    lines = [
        f'{pair.name}: {source} labelled images of the source, {target} images of the target without labels'
        + (f', {len(pair.watched.pairing.pairs)} labelled ones to validate with.' if pair.validates else '.'),
        f'Written by: {pair.command}',
    ]
    if not pair.validates:
        lines.append(
            'No labels of the target: validations look at some of its images and tell scores without labels '
            '(label_free/...), which are no accuracy.'
        )
    return lines


def _classes(pair: Pair) -> str:
    classes = pair.classes
    lines = [f'classes = {wrapped_tuple(classes.names)}']
    if classes.palette is not None:
        lines.append(f'palette = {wrapped_tuple(classes.palette)}')
    what = 'Colour (red, green, blue)' if classes.are_colours else 'Value'
    lines.append(f'# {what} in label files: place in classes; 255 is ignored. Other values are an error.')
    lines.append(f'label_table = {wrapped_dict(classes.table)}')
    for domain in pair.domains:
        if domain.table is not None:
            lines.append(f'{domain.name}_label_table = {wrapped_dict(domain.table)}')
    return '\n'.join(lines)


def _pipelines(pair: Pair) -> str:
    plan = pair.plan
    labelled = "dict(type='LoadDomainAnnotations')"
    lines = [
        "lists = r'''{{ fileDirname }}'''  # the lists of images are beside this file",
        f'crop_size = {plan.crop}  # (H, W)',
    ]
    if plan.source_length or plan.target_length:
        lines.append(f'resize = {_RESIZE}')
    crop, load, pack = (
        "dict(type='RandomClassCrop', size=crop_size)",
        "dict(type='LoadDomainImage')",
        "dict(type='PackSegInputs')",
    )
    flip = "dict(type='RandomFlip', prob=0.5)"
    steps = {
        'source': [load, labelled, _resize(plan.source_length), crop.replace(')', ', cat_max_ratio=0.75)'), flip, pack],
        'target': [load, _resize(plan.target_length), crop, flip, pack],
        'test': [
            "dict(type='LoadImageFromFile'),  # the name that mmseg's inferencer looks for",
            _resize(plan.target_length),
            "dict(type='LoadDomainAnnotations', required=False)",
            pack,
        ],
    }
    for name, pipeline in steps.items():
        lines += [f'{name}_pipeline = [', *(_step(step) for step in pipeline if step), ']']
    return '\n'.join(lines)


def _step(step: str) -> str:
    return f'    {step}' if '#' in step else f'    {step},'


def _resize(length: int | None) -> str:
    return '' if length is None else f'dict(resize, scale=({length}, {length}))'


def _loaders(pair: Pair) -> str:
    plan = pair.plan
    palette = ', metainfo=dict(palette=palette)' if pair.classes.palette is not None else ''
    evaluator = 'DomainIoUMetric' if pair.validates else 'LabelFreeMetric'
    return '\n'.join(
        [
            f"common = dict(type='SegmentationListDataset', label_classes=classes{palette})",
            'train_dataloader = dict(',
            *_loading(plan, plan.batch, "dict(type='DomainPairSampler')"),
            '    dataset=dict(',
            "        type='DomainPairDataset',",
            *_dataset('source', pair.source, 'source', labelled=True, depth=2),
            *_dataset('target', pair.target, 'target', labelled=False, depth=2),
            '    ),',
            ')',
            'val_dataloader = dict(',
            *_loading(plan, 4 if plan.same_size else 1, "dict(type='DefaultSampler', shuffle=False)"),
            *_dataset(
                'dataset', pair.watched, 'val' if pair.validates else 'watched', labelled=pair.validates, depth=1
            ),
            ')',
            'test_dataloader = val_dataloader',
            f'val_evaluator = dict(type={literal(evaluator)})',
            'test_evaluator = val_evaluator',
        ]
    )


def _loading(plan: Plan, batch: int, sampler: str) -> list[str]:
    return [
        f'    batch_size={batch},',
        f'    num_workers={plan.workers},',
        '    persistent_workers=True,',
        f'    sampler={sampler},',
    ]


def _dataset(key: str, domain: Domain, images: str, labelled: bool, depth: int) -> list[str]:
    """Return the lines of a data set.

    Args:
        key: Its key in the config.
        domain: Its images.
        images: Name of their list.
        labelled: Whether labels are read.
        depth: Of the dict that it is in.
    """
    lines = ['**common', f'data_root={domain.name}_root', f"ann_file=lists + '/{images}.txt'"]
    if labelled:
        lines += ['require_labels=True', f'label_table={_table(domain)}']
        lines += [] if domain.channel is None else [f'label_channel={domain.channel}']
    else:
        lines.append('images_only=True')
    test = key == 'dataset'
    lines += ['test_mode=True'] if test else []
    lines.append(f'pipeline={"test" if test else key}_pipeline')
    margin = '    ' * depth
    return [f'{margin}{key}=dict(', *(f'{margin}    {line},' for line in lines), f'{margin}),']


def _table(domain: Domain) -> str:
    return 'label_table' if domain.table is None else f'{domain.name}_label_table'
