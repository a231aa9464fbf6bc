"""Checks of the samplers, pipelines, class lists and folders of data sets, which are built without reading files."""

import copy
import inspect
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine import fileio
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmseg.datasets.transforms import GenerateEdge, RandomCrop
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.losses import CrossEntropyLoss
from mmseg.registry import DATA_SAMPLERS, DATASETS, MODELS, TRANSFORMS

from mmuda.constants import TARGET_LABELLED
from mmuda.datasets.building import ADVICE, check_indices
from mmuda.datasets.class_lists import differing_classes
from mmuda.datasets.class_presence import LABEL_STEPS
from mmuda.datasets.pairs.domain_pair import DomainSides
from mmuda.datasets.pairs.streams import StreamSampler
from mmuda.datasets.readers import RawSegDataset
from mmuda.models.adaptors.base import BaseAdaptor
from mmuda.models.adaptors.head_losses import NEED_EDGES
from mmuda.stages.references import stage_of

from .finding import ERROR, WARNING, Finding, joined, one_line, short
from .registries import find
from .signatures import parameters_of
from .training import LOADERS

TEST = 'test_dataloader'
"""Loader whose folders are not checked: a training does not need the test images."""


def check_samplers(cfg: Config, loaders: tuple[str, ...] = LOADERS) -> Iterator[Finding]:
    """Check that the sampler of each loader yields indices of the kind that its data set takes."""
    for place in loaders:
        loader = cfg.get(place)
        if not isinstance(loader, Mapping):
            continue
        dataset, sampler = (loader.get(key) for key in ('dataset', 'sampler'))
        if not isinstance(dataset, Mapping) or not isinstance(sampler, Mapping):
            continue
        kind, drawn = find(dataset.get('type'), DATASETS), find(sampler.get('type'), DATA_SAMPLERS)
        if not isinstance(kind, type) or not isinstance(drawn, type):
            continue
        wanted = typing.get_type_hints(drawn.__init__).get('dataset') if issubclass(drawn, StreamSampler) else None
        if issubclass(kind, DomainSides) and not issubclass(drawn, StreamSampler):
            own = "'DomainUnionSampler'" if 'Union' in kind.__name__ else "'DomainPairSampler'"
            yield Finding(
                f'{place}.sampler.type',
                f'is {short(sampler["type"])}, which yields plain numbers',
                f'{own} for a {kind.__name__}',
            )
        elif sampler.get('every') and (loader.get('collate_fn') or {}).get('type') not in (
            'union_collate',
            'mixed_collate',
        ):
            yield Finding(
                f'{place}.collate_fn',
                f'is {short(loader.get("collate_fn"))}, but sampler.every gives items of one domain alone',
                "dict(type='union_collate')",
            )
        elif inspect.isclass(wanted) and not issubclass(kind, wanted):
            yield Finding(
                f'{place}.sampler.type',
                f'is {short(sampler["type"])}, which draws from a {wanted.__name__}',
                f'a sampler for the {kind.__name__} of this loader',
            )


def check_pipelines(cfg: Config, loaders: tuple[str, ...] = LOADERS) -> Iterator[Finding]:
    """Check that no step uses labels that no earlier step loads, for example in the pipeline of the target domain."""
    for place, node in datasets_of(cfg, loaders):
        steps = node.get('pipeline')
        loaded = False
        for number, step in enumerate(steps if isinstance(steps, (list, tuple)) else ()):
            kind = find(step.get('type'), TRANSFORMS) if isinstance(step, Mapping) else None
            if not isinstance(kind, type):
                break  # an unknown step can load labels
            loaded = loaded or issubclass(kind, LABEL_STEPS)
            ratio = step.get('cat_max_ratio', 1.0)
            if not loaded and issubclass(kind, RandomCrop) and isinstance(ratio, (int, float)) and ratio < 1:
                yield Finding(
                    f'{place}.pipeline.{number}.cat_max_ratio',
                    f'is {short(ratio)}, so {kind.__name__} needs labels, but no earlier step loads any',
                    '1.0',
                    'images of a target domain are cropped without labels',
                )


def check_classes(cfg: Config, loaders: tuple[str, ...] = LOADERS) -> Iterator[Finding]:
    """Check that all data sets have the same classes in the same order, and that the heads have one output for each."""
    lists: dict[str, tuple[str, ...]] = {}
    for place, node in datasets_of(cfg, loaders):
        try:
            dataset = build_without_files(node)
            check_indices(node)
            if not place.startswith(TEST) and not _refers(node):
                check_folders(dataset)
        except Exception as error:  # a run would end with the same error
            yield Finding(place, one_line(error))
            continue
        classes = None if dataset is None else (getattr(dataset, 'metainfo', None) or {}).get('classes')
        if classes:
            lists[place] = tuple(classes)
    different = differing_classes(lists)
    if different:
        first, other = different
        yield Finding(
            joined(other, 'metainfo.classes'),
            f'{_listed(lists[other])}, but {first} has {_listed(lists[first])}',
            remedy='give all data sets the same classes in the same order',
        )
    elif lists:
        place, classes = next(iter(lists.items()))
        yield from check_heads(cfg.get('model'), place, len(classes))


def check_folders(dataset: Any) -> None:
    """Check that the folders or the list of a data set exist.

    Raises:
        FileNotFoundError: If one of them does not exist.
    """
    if isinstance(dataset, RawSegDataset):
        dataset.check_folders()
        return
    folder = dict(getattr(dataset, 'data_prefix', {})).get('img_path')
    backend = getattr(dataset, 'backend_args', None)
    if dataset.ann_file and not fileio.exists(dataset.ann_file, backend):
        raise FileNotFoundError(f'{type(dataset).__name__}: the list {dataset.ann_file} does not exist: {ADVICE}')
    if folder and not dataset.ann_file and not fileio.exists(folder, backend):
        raise FileNotFoundError(f'{type(dataset).__name__}: {folder} does not exist: {ADVICE}')


def check_heads(model: Any, dataset: str, count: int) -> Iterator[Finding]:
    """Check the number of outputs of the heads of the segmentor.

    An adaptor compares the outputs of its heads with the labels, so a different number is an error. For a plain network
    it is a warning, because its head can have more outputs than classes, or its own loss.

    Args:
        model: Config of the model.
        dataset: Place of a data set, for the text.
        count: Number of its classes.
    """
    if not isinstance(model, Mapping):
        return
    kind = find(model.get('type'), MODELS)
    adapts = isinstance(kind, type) and issubclass(kind, BaseAdaptor)
    place, segmentor = ('model.segmentor', model.get('segmentor')) if adapts else ('model', model)
    if not isinstance(segmentor, Mapping):
        return
    for key in ('decode_head', 'auxiliary_head'):
        value: Any = segmentor.get(key)
        many = isinstance(value, (list, tuple))
        for number, head in enumerate(value if many else [value]):
            outputs = head.get('num_classes') if isinstance(head, Mapping) else None
            if (
                not isinstance(outputs, int)
                or outputs == count
                or not _classifies(head, auxiliary=key != 'decode_head', adapts=adapts)
            ):
                continue
            if adapts or outputs > 2:  # one or two outputs can separate one class from the rest
                yield Finding(
                    f'{joined(f"{place}.{key}", number) if many else f"{place}.{key}"}.num_classes',
                    f'is {outputs}, but {dataset} has {count} classes',
                    str(count),
                    level=ERROR if adapts else WARNING,
                )


def check_edges(cfg: Config) -> Iterator[Finding]:
    """Check that labelled training images have edge maps (``GenerateEdge``), if the head of an adaptor learns edges."""
    segmentor = cfg.model.get('segmentor') if isinstance(cfg.get('model'), Mapping) else None
    head = segmentor.get('decode_head') if isinstance(segmentor, Mapping) else None
    kind = find(head.get('type'), MODELS) if isinstance(head, Mapping) else None
    if not isinstance(kind, type) or not issubclass(kind, NEED_EDGES):
        return
    for place, node in datasets_of(cfg, LOADERS[:1]):
        steps = [step.get('type') for step in node.get('pipeline') or () if isinstance(step, Mapping)]
        unlabelled = place.startswith(f'{LOADERS[0]}.dataset.target') and TARGET_LABELLED not in place
        if not unlabelled and not any(find(step, TRANSFORMS) is GenerateEdge for step in steps):
            yield Finding(
                f'{place}.pipeline',
                f'has no GenerateEdge, whose boundaries {kind.__name__} learns',
                remedy="put dict(type='GenerateEdge', edge_width=4) in front of PackSegInputs",
            )


def _classifies(head: Mapping, auxiliary: bool, adapts: bool) -> bool:
    """Return whether the outputs of a head are class logits. An auxiliary head can learn something else by its loss.

    In an adaptor, all heads give class logits, except auxiliary heads with a ``loss_by_feat`` of their own. In a plain
    network, an auxiliary head must also have a softmax cross-entropy loss.
    """
    kind = find(head.get('type'), MODELS)
    usual = inspect.getattr_static(kind, 'loss_by_feat', None) is inspect.getattr_static(BaseDecodeHead, 'loss_by_feat')
    loss = head.get('loss_decode')
    plain = loss is None or (
        isinstance(loss, Mapping) and find(loss.get('type'), MODELS) is CrossEntropyLoss and not loss.get('use_sigmoid')
    )
    return not auxiliary or (usual and (plain or adapts))


def datasets_of(cfg: Config, loaders: tuple[str, ...] = LOADERS) -> Iterator[tuple[str, dict]]:
    """Yield the place and the config of each data set that is not a wrapper of other data sets."""
    for name in loaders:
        loader = cfg.get(name)
        if isinstance(loader, Mapping) and isinstance(loader.get('dataset'), Mapping):
            yield from _leaves(f'{name}.dataset', loader['dataset'])


def build_without_files(node: dict) -> Any:
    """Build a data set with its pipeline without reading a file; None if its class cannot be built so."""
    kind = find(node.get('type'), DATASETS)
    if not isinstance(kind, type) or not issubclass(kind, BaseDataset) or 'lazy_init' not in parameters_of(kind).known:
        return None
    return DATASETS.build({**copy.deepcopy(node), 'lazy_init': True})


def _leaves(place: str, node: Any) -> Iterator[tuple[str, dict]]:
    """Yield the data sets in a data set, or the data set itself if there are none."""
    inner = []
    for key, value in node.items():
        for where, part in (
            ((joined(joined(place, key), number), part) for number, part in enumerate(value))
            if isinstance(value, (list, tuple)) and key == 'datasets'
            else [(joined(place, key), value)]
        ):
            if (
                isinstance(part, Mapping)
                and isinstance(find(part.get('type'), DATASETS), type)
                and part.get('type') in DATASETS
            ):
                inner.append((where, part))
    if not inner:
        yield place, node
    for where, part in inner:
        yield from _leaves(where, part)


def _refers(node: Mapping) -> bool:
    """Return whether a data set reads files that a stage will write."""
    return any(stage_of(value) is not None for value in node.values() if isinstance(value, str))


def _listed(classes: tuple[str, ...]) -> str:
    return f'{len(classes)} classes ({", ".join(classes[:20])}{", ..." if len(classes) > 20 else ""})'
