"""Protocols, the sets of classes over which a mean is taken: those of the papers, and the user's own."""

from collections.abc import Mapping, Sequence

from mmuda.datasets.classes import SYNTHIA13, SYNTHIA16

ALL_CLASSES = 'mIoU'
"""Name of the protocol of all classes of the data set."""

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
"""Class names of the built-in protocols.

``mIoU16`` and ``mIoU13`` are those of SYNTHIA -> Cityscapes. The thirteen classes that Cross-City annotates are those
of ``mIoU13``. ``synth2camvid10`` has the classes that the synthetic data sets share with CamVid.
"""

_RESERVED = ('aAcc', 'mAcc', 'mDice', 'mFscore', 'mPrecision', 'mRecall')

ProtocolSpec = str | Mapping[str, Sequence[str]] | Sequence[str | Mapping[str, Sequence[str]]]


def resolve_protocols(spec: ProtocolSpec, classes: Sequence[str]) -> dict[str, list[int]]:
    """Return the class indices of protocols.

    Args:
        spec: Name of a built-in protocol, own protocols as ``{name: class names}``, or a sequence of both.
        classes: Class names of the data set, in the order of the train ids.

    Returns:
        Class indices by protocol name. ``mIoU``, all classes, is always the first.

    Raises:
        ValueError: If a built-in name is unknown, if the name of an own protocol is taken, if an own protocol is empty
            or names a class twice, or if a protocol needs a class that the data set does not have.
    """
    if isinstance(spec, (str, Mapping)):
        spec = [spec]
    chosen: dict[str, list[int]] = {ALL_CLASSES: list(range(len(classes)))}
    for entry in spec:
        if isinstance(entry, Mapping):
            for name, members in entry.items():
                if name in (*PROTOCOLS, *_RESERVED) or name in chosen:
                    raise ValueError(f'protocol name {name!r} is taken: give your protocol another name')
                chosen[name] = _indices(name, members, classes)
        elif entry in PROTOCOLS:
            chosen[entry] = _indices(entry, PROTOCOLS[entry], classes)
        elif entry != ALL_CLASSES:
            raise ValueError(
                f'unknown protocol {entry!r}: use one of {[ALL_CLASSES, *PROTOCOLS]}, '
                'or give your own protocol as a dict, {name: [class names]}'
            )
    return chosen


def _indices(name: str, members: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Return the class indices of the members of a protocol, in ascending order."""
    if isinstance(members, str) or not members:
        raise ValueError(f'protocol {name!r} needs a list of class names, not {members!r}')
    if len(set(members)) < len(members):
        raise ValueError(f'protocol {name!r} names a class twice: {list(members)}')
    missing = [member for member in members if member not in classes]
    if missing:
        raise ValueError(
            f'protocol {name!r} needs the classes {missing}, which the data set does not have; its classes are '
            f'{list(classes)}: choose another protocol, or a data set that annotates these classes'
        )
    return sorted(classes.index(member) for member in members)


def measure_name(measure: str, protocol: str) -> str:
    """Return the key of the mean of a measure over a protocol.

    Args:
        measure: ``IoU``, ``Acc``, ``Dice``, ``Fscore``, ``Precision`` or ``Recall``.
        protocol: Name of the protocol, such as ``mIoU16`` or the user's own ``shared``.

    Returns:
        ``mIoU16`` for the IoU of ``mIoU16`` and ``mDice16`` for its Dice; ``shared`` and ``mDice_shared`` for the
        user's own protocol ``shared``.
    """
    if measure == 'IoU':
        return protocol
    if protocol.startswith('mIoU'):
        return f'm{measure}{protocol[4:]}'
    return f'm{measure}_{protocol}'
