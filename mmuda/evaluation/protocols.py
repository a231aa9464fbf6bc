"""Which classes a mean is taken over: the protocols of the papers, and named subsets of the user's own."""

from collections.abc import Mapping, Sequence

from mmuda.datasets.classes import SYNTHIA13, SYNTHIA16

ALL_CLASSES = 'mIoU'
"""Name of the protocol that takes every class of the data set."""

PROTOCOLS: dict[str, tuple[str, ...]] = {
    'mIoU16': SYNTHIA16,
    'mIoU13': SYNTHIA13,
    'synth2camvid10': (
        'road',
        'sidewalk',
        'building',
        'fence',
        'pole',
        'traffic sign',
        'vegetation',
        'sky',
        'person',
        'car',
    ),
}
"""Built-in protocols by name. ``mIoU16`` and ``mIoU13`` are those of SYNTHIA -> Cityscapes; the thirteen classes
that Cross-City annotates are the same as ``mIoU13``. ``synth2camvid10`` are the classes that the synthetic
data sets share with CamVid."""

_RESERVED = ('aAcc', 'mAcc', 'mDice', 'mFscore', 'mPrecision', 'mRecall')

ProtocolSpec = str | Mapping[str, Sequence[str]] | Sequence[str | Mapping[str, Sequence[str]]]


def resolve_protocols(spec: ProtocolSpec, classes: Sequence[str]) -> dict[str, list[int]]:
    """Turn protocol names and named subsets into class indices.

    Args:
        spec: A built-in name, ``{name: class names}``, or a sequence that mixes both.
        classes: Class names of the data set, in train-id order.

    Returns:
        Class indices by protocol name. ``mIoU``, all classes, is always the first.

    Raises:
        ValueError: If a name is unknown or taken, or a protocol needs a class that the data set lacks.
    """
    if isinstance(spec, (str, Mapping)):
        spec = [spec]
    chosen: dict[str, list[int]] = {ALL_CLASSES: list(range(len(classes)))}
    for entry in spec:
        if isinstance(entry, Mapping):
            for name, members in entry.items():
                if name in (*PROTOCOLS, *_RESERVED) or name in chosen:
                    raise ValueError(f'protocol name {name!r} is taken: give your subset another name')
                chosen[name] = _indices(name, members, classes)
        elif entry in PROTOCOLS:
            chosen[entry] = _indices(entry, PROTOCOLS[entry], classes)
        elif entry != ALL_CLASSES:
            raise ValueError(
                f'unknown protocol {entry!r}: use one of {[ALL_CLASSES, *PROTOCOLS]}, '
                'or name your own subset with a dict, {name: [class names]}'
            )
    return chosen


def _indices(name: str, members: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Places of the members among the classes, in the order of the classes."""
    if isinstance(members, str) or not members:
        raise ValueError(f'protocol {name!r} needs a list of class names, not {members!r}')
    if len(set(members)) < len(members):
        raise ValueError(f'protocol {name!r} names a class twice: {list(members)}')
    missing = [member for member in members if member not in classes]
    if missing:
        raise ValueError(
            f'protocol {name!r} needs the classes {missing}, which the data set does not have; its classes are '
            f'{list(classes)}. Choose another protocol or a data set that annotates them'
        )
    return sorted(classes.index(member) for member in members)


def measure_name(measure: str, protocol: str) -> str:
    """Key of the mean of a measure over a protocol.

    Args:
        measure: ``IoU``, ``Acc``, ``Dice``, ``Fscore``, ``Precision`` or ``Recall``.
        protocol: ``mIoU``, ``mIoU16``, ``shared`` ...

    Returns:
        ``mIoU16`` for the IoU of ``mIoU16``, ``mDice16`` for its Dice; ``shared`` and ``mDice_shared`` for a
        subset of the user's own.
    """
    if measure == 'IoU':
        return protocol
    if protocol.startswith('mIoU'):
        return f'm{measure}{protocol[4:]}'
    return f'm{measure}_{protocol}'
