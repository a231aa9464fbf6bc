"""Config file of a pair of the user's data sets, and its lists of images, as text."""

import os
from collections.abc import Sequence
from pathlib import Path

from .literals import comment, literal, wrapped_dict, wrapped_tuple
from .pair import Domain, Pair
from .plan import Plan
from .survey import evenly
from .writing import WRITTEN_BY

PAIR = 'pair.py'
WATCHED = 100
"""Largest number of target images in validations without labels."""

_RESIZE = "dict(type='Resize', keep_ratio=True, backend='pillow', interpolation='bicubic')"

_STATISTICS = """# Batch-norm statistics of the target (--batch-norm target) from so many images, in one pass.
target_statistics = dict(sample={})"""

_VARIABLE_HEAD = """import os

root = os.environ.get({name}, {root})
"""


def pair_files(pair: Pair) -> dict[str, str]:
    """Return the files of a pair (the config and the lists of images) as text by name."""
    files = {PAIR: _pair_config(pair)}
    for domain in pair.domains if pair.validates else (pair.source, pair.target):
        files[f'{domain.name}.txt'] = _list(domain.pairing.pairs)
    if not pair.validates:
        files['watched.txt'] = _list(evenly(pair.watched.pairing.pairs, WATCHED))
    return files


def _list(pairs: Sequence[tuple[str, str | None]]) -> str:
    return ''.join(f'{image}\n' if label is None else f'{image}\t{label}\n' for image, label in pairs)


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
        + (f', {len(pair.watched.pairing.pairs)} labelled ones to validate with.' if pair.validates else '.')
    ]
    if not pair.validates:
        lines.append(
            'No labels of the target: validations use some of its images and give scores without labels '
            '(label_free/...), which do not measure accuracy.'
        )
    return [*lines, f'{WRITTEN_BY}{pair.command}']  # the last one, see writing.py


def _classes(pair: Pair) -> str:
    classes = pair.classes
    lines = [f'classes = {wrapped_tuple(classes.names)}']
    if classes.palette is not None:
        lines.append(f'palette = {wrapped_tuple(classes.palette)}')
    what = 'Colour (red, green, blue)' if classes.are_colours else 'Value'
    lines.append(f'# {what} in label files: index in classes; 255 is ignored. Other values are an error.')
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
    crop, pack = "dict(type='RandomClassCrop', size=crop_size)", "dict(type='PackSegInputs')"
    read = [f"dict(type='LoadDomainImage'{domain.reading.options})" for domain in (pair.source, pair.target)]
    watched = pair.watched.reading.options
    tested = "dict(type='LoadImageFromFile'),  # the name that mmseg's inferencer looks for"
    flip = "dict(type='RandomFlip', prob=0.5)"
    steps = {
        'source': [
            read[0],
            labelled,
            _resize(plan.source_length),
            crop.replace(')', ', cat_max_ratio=0.75)'),
            flip,
            pack,
        ],
        'target': [read[1], _resize(plan.target_length), crop, flip, pack],
        'test': [
            f"dict(type='LoadDomainImage'{watched})" if watched else tested,
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
    statistics = [] if plan.statistics is None else [_STATISTICS.format(plan.statistics)]
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
            *statistics,
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
        key: Key of the data set in the config.
        domain: The images.
        images: Name of the list of the images.
        labelled: Whether labels are read.
        depth: Depth of the dict that the data set is in.
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
