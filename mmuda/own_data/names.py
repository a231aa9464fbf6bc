"""Names of files: words that distinguish images from labels, and the scene that both have in common."""

import re
from pathlib import PurePosixPath
from typing import NamedTuple

IMAGE_WORDS = frozenset(
    'camera camerargb color colour frame frames image images img imgs input inputs jpegimages leftimg8bit photo photos '
    'render renders rgb rgbanon'.split()
)
LABEL_WORDS = frozenset(
    'annot annotation annotations cameraseg gt gtcoarse gtfine groundtruth label labelid labelids labels labeltrainids '
    'lbl lbls mask masks seg segm segmentation segmentationclass segmentations segs semantic semantics trainids'.split()
)
FOLDER_LABEL_WORDS = LABEL_WORDS | {'class', 'classes', 'ids'}
OTHER_WORDS = frozenset(
    'boundary color colors colored colour colours depth disp disparity edges flow instance instanceid instanceids '
    'instances invalid invgt normal normals panoptic polygons vis viz visualization'.split()
)
"""Words for pictures that are neither photographs nor maps of class ids. ``color`` counts only in names of labels."""

_PARTS = re.compile(r'[\W_]+')


class Name(NamedTuple):
    """A file by its name.

    Attributes:
        path: Relative name.
        scene: The name without suffix, case and the words that distinguish images from labels, as a tuple with one part
            for each folder and one for the file. It is equal for an image and its label.
        kind: These words.
        is_label: Whether the words are those of a label.
        is_other: Whether the words are those of neither an image nor a map of class ids, such as a depth map.
    """

    path: str
    scene: tuple[str, ...]
    kind: tuple[str, ...]
    is_label: bool
    is_other: bool


def read_name(path: str) -> Name:
    """Return the parts of the name of a file.

    The words at both ends of the name of the file and all words of its folders are compared with the known words. A
    word for a label in the name of the file makes it a label. Otherwise the deepest folder with a word for images or
    labels decides.

    Args:
        path: Relative name with ``/``.
    """
    pure = PurePosixPath(path)
    kind: list[str] = []
    scene: list[str] = []
    labelled = False
    for folder in pure.parts[:-1]:
        parts = words(folder)
        said = [word for word in parts if word in IMAGE_WORDS | FOLDER_LABEL_WORDS | OTHER_WORDS]
        kind += said
        scene += ['_'.join(word for word in parts if word not in said)] if len(said) < len(parts) else []
        decisive = [word for word in said if word in IMAGE_WORDS | FOLDER_LABEL_WORDS]
        if any(word in FOLDER_LABEL_WORDS for word in decisive):
            labelled = True
        elif decisive and not (labelled and set(decisive) <= OTHER_WORDS):
            labelled = False
    before, middle, after = _ends(words(pure.stem))
    kind += before + after
    labelled = labelled or any(word in LABEL_WORDS for word in before + after)
    other = any(word in OTHER_WORDS and (labelled or word not in IMAGE_WORDS) for word in kind)
    return Name(path, (*scene, '_'.join(middle)), tuple(kind), labelled, other)


def words(text: str) -> list[str]:
    """Return the words of a part of a path in lower case."""
    return [word for word in _PARTS.split(text.lower()) if word]


def _ends(parts: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Split words into known words at the beginning, the words of the scene, and known words at the end."""
    known = IMAGE_WORDS | LABEL_WORDS | OTHER_WORDS
    first = next((place for place, word in enumerate(parts) if word not in known), len(parts))
    last = next((place for place in range(len(parts), first, -1) if parts[place - 1] not in known), first)
    return parts[:first], parts[first:last], parts[last:]
