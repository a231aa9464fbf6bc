"""Pairing of the images of a folder with their labels, by their names."""

import fnmatch
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mmuda.datasets.readers.file_check import find_problems

from .files import JPEG, Files, LeftOut, find_files
from .names import FOLDER_LABEL_WORDS, IMAGE_WORDS, Name, read_name, words

NO_LABEL, NO_IMAGE_FOR_IT = 'an image without a label', 'a label without an image'
SAME_SCENE = 'an image with the same name as another image, except for words such as "rgb"'
OTHER_KIND, IS_LABEL = 'another kind of picture', 'a label, which is not read'
JPEG_LABEL = 'a label as JPEG, whose compression changes ids'


@dataclass
class Pairing:
    """Images with their labels.

    Attributes:
        root: Folder that all names in ``pairs`` are relative to.
        pairs: Names of the images, each with the name of its label or None.
        left_out: Other files below the folders, relative to the folders, by the reason why they are not used.
        chosen: For images with several labels: words in the names of the chosen labels, with their number.
    """

    root: Path
    pairs: list[tuple[str, str | None]] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=dict)
    chosen: Counter = field(default_factory=Counter)

    @property
    def images(self) -> list[str]:
        """Absolute paths of the images."""
        return [str(self.root / image) for image, _ in self.pairs]

    @property
    def labels(self) -> list[str]:
        """Absolute paths of the labels; images without a label have none."""
        return [str(self.root / label) for _, label in self.pairs if label is not None]

    def leave_out(self, reason: str, names: Iterable[str]) -> None:
        """Add files that are not used, with the reason."""
        self.left_out.setdefault(reason, []).extend(names)


def pair_folder(
    folder: str | Path,
    labels: str | Path | None = None,
    image_names: str | None = None,
    label_names: str | None = None,
    wants_labels: bool = True,
) -> Pairing:
    """Find the images of a folder, and the label of each.

    Labels are in a separate folder, in folders below that of the images, or beside the images. An image and its label
    have the same name except for the suffix and words such as ``leftImg8bit`` and ``gtFine_labelIds``, in the names of
    files and folders. If no such word distinguishes them, a PNG is the label of a JPEG of the same name. Pairs of
    different sizes and damaged files are left out.

    Args:
        folder: Folder of images, and of labels if ``labels`` is None.
        labels: Folder of labels.
        image_names: Pattern of the names of images, such as ``'*_left.png'``.
        label_names: Pattern of the names of labels; other files are no labels.
        wants_labels: If False, all labels are left out, and all images are kept. If True, images without a label are
            left out, unless there is no label at all.

    Returns:
        The pairs, and the files that are not used.

    Raises:
        FileNotFoundError: If a folder does not exist, or has no image.
        NotADirectoryError: If a folder is a file.
    """
    files = find_files(folder, without=labels)
    own = None if labels is None else find_files(labels)
    root = files.folder if own is None else Path(os.path.commonpath([files.folder, own.folder]))
    result = Pairing(root)
    for found in (files, own):
        for reason, left in (found.left_out if found else {}).items():
            result.leave_out(reason, left)
    images, others = _split(files, own, image_names, label_names)
    plain = [name for name in images if not name.is_other]
    if plain and image_names is None:
        result.leave_out(OTHER_KIND, [name.path for name in images if name.is_other])
        images = plain
    if not images:
        raise FileNotFoundError(_nothing(files, others, image_names))
    keys = {name: {name.scene, _without_pattern(name, image_names)} for name in images}
    keys.update({name: {name.scene, _without_pattern(name, label_names)} for name in others})
    _pair(result, images, others, keys, _relative(files, root), _relative(own or files, root), wants_labels)
    return result


def folder_of_labels(folder: str | Path) -> Path | None:
    """Return the folder of the labels of a folder of images by its name: ``x/labels/val`` for ``x/images/val``.

    Args:
        folder: Folder of images.

    Returns:
        The folder, or None if there is none.
    """
    path = Path(os.path.abspath(Path(folder).expanduser()))
    for place in (path, *path.parents):
        if not set(words(place.name)) & IMAGE_WORDS or not place.parent.is_dir():
            continue
        for other in sorted(place.parent.iterdir()):
            found = other / path.relative_to(place)
            if other != place and set(words(other.name)) & FOLDER_LABEL_WORDS and found.is_dir():
                return found
    return None


def _split(
    files: Files, own: Files | None, image_names: str | None, label_names: str | None
) -> tuple[list[Name], list[Name]]:
    """Return the images, and the files that can be labels."""
    names = [read_name(name) for name in files.names]
    images = [name for name in names if not name.is_label]
    if own is not None:
        images, labels = images or names, [read_name(name) for name in own.names]
    elif label_names is not None:
        labels = names
    else:
        labels = [name for name in names if name.is_label]
        if not labels:
            images, labels = _beside(images)
    if label_names is not None:
        labels = [name for name in labels if _matches(name, label_names)]
    if image_names is not None:
        images = [name for name in names if _matches(name, image_names)]
    elif own is None:
        images = _without(images, labels)
    return images, _without(labels, images) if own is None else labels


def _without(names: list[Name], others: list[Name]) -> list[Name]:
    apart = set(others)
    return [name for name in names if name not in apart]


def _matches(name: Name, pattern: str) -> bool:
    return fnmatch.fnmatch(PurePosixPath(name.path).name, pattern) or fnmatch.fnmatch(name.path, pattern)


def _without_pattern(name: Name, pattern: str | None) -> tuple[str, ...]:
    """Return the scene of a file from the part of its name that matches the star of a pattern such as ``'*_L.png'``."""
    pure = PurePosixPath(name.path)
    if pattern is None or pattern.count('*') != 1 or '/' in pattern or not _matches(name, pattern):
        return name.scene
    before, after = pattern.split('*')
    core = pure.name[len(before) : len(pure.name) - len(after)]
    return read_name(str(pure.with_name(f'{core}.png'))).scene if core else name.scene


def _beside(images: list[Name]) -> tuple[list[Name], list[Name]]:
    """Return the images and the labels among files without words for labels: PNG files with the name of a JPEG."""
    photographs = {name.path.rpartition('.')[0] for name in images if _suffix(name) in JPEG}
    labels = [name for name in images if _suffix(name) == '.png' and name.path.rpartition('.')[0] in photographs]
    return _without(images, labels), labels


def _pair(
    result: Pairing,
    images: list[Name],
    labels: list[Name],
    keys: Mapping[Name, set[tuple[str, ...]]],
    place_image: Callable[[str], str],
    place_label: Callable[[str], str],
    wants_labels: bool,
) -> None:
    """Fill a pairing.

    Args:
        result: The pairing.
        images: All images.
        labels: Files that can be labels.
        keys: Scenes of each file, see :class:`Name`. An image and its label have at least one in common.
        place_image: Function that makes the name of an image relative to the root.
        place_label: The same for labels.
        wants_labels: See :func:`pair_folder`.
    """
    usable = [name for name in labels if _suffix(name) not in JPEG]
    by_scene = defaultdict(list)
    for name in usable:
        for key in keys[name]:
            by_scene[key].append(name)
    scenes = Counter(name.scene for name in images)
    kinds = Counter(name.kind for name in usable if not name.is_other)
    used: set[str] = set()
    for image in images:
        found = list(dict.fromkeys(label for key in keys[image] for label in by_scene.get(key, ()) if wants_labels))
        if found and scenes[image.scene] > 1:
            result.leave_out(SAME_SCENE, [image.path])
            continue
        label = min(found, key=lambda name: (name.is_other, -kinds[name.kind], name.path), default=None)
        if label is not None:
            used.add(label.path)
            if len(found) > 1:
                result.chosen[' '.join(label.kind)] += 1
                result.leave_out(OTHER_KIND, [name.path for name in found if name is not label])
                used |= {name.path for name in found}
        result.pairs.append((place_image(image.path), None if label is None else place_label(label.path)))
    unused = [name for name in usable if name.path not in used]
    if not wants_labels:
        result.leave_out(IS_LABEL, [name.path for name in labels])
    else:
        result.leave_out(JPEG_LABEL, [name.path for name in labels if _suffix(name) in JPEG])
        result.leave_out(OTHER_KIND, [name.path for name in unused if name.is_other])
        result.leave_out(NO_IMAGE_FOR_IT, [name.path for name in unused if not name.is_other])
    if wants_labels and any(label for _, label in result.pairs):
        result.leave_out(NO_LABEL, [image for image, label in result.pairs if label is None])
        result.pairs = [pair for pair in result.pairs if pair[1] is not None]
    result.left_out = {reason: list(dict.fromkeys(names)) for reason, names in result.left_out.items() if names}
    _leave_out_unequal(result)


def _leave_out_unequal(result: Pairing) -> None:
    """Leave out pairs whose sizes differ, or of which one file is not an image."""
    pairs = [
        (str(result.root / image), None if label is None else str(result.root / label)) for image, label in result.pairs
    ]
    problems = find_problems(pairs)
    for place in sorted(problems):
        result.leave_out(problems[place].kind, [result.pairs[place][0]])
    result.pairs = [pair for place, pair in enumerate(result.pairs) if place not in problems]


def _suffix(name: Name) -> str:
    return PurePosixPath(name.path).suffix.lower()


def _relative(files: Files, root: Path) -> Callable[[str], str]:
    """Return the function that makes the names of files relative to the root of a pairing."""
    below = files.folder.relative_to(root)
    return lambda name: (below / name).as_posix()


def _nothing(files: Files, labels: list[Name], image_names: str | None) -> str:
    if image_names is not None:
        return (
            f'no image below {files.folder} matches {image_names!r}, of {len(files.names)} files: correct --image-names'
        )
    if labels:
        return (
            f'all {len(labels)} images below {files.folder} have names of labels, such as {labels[0].path}: give the '
            'folder of the images, or --image-names PATTERN'
        )
    passed = {reason: len(names) for reason, names in files.left_out.items()}
    return f'there is no image below {files.folder}' + (f' (left out: {passed})' if passed else '')
