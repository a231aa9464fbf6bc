"""Images of a folder and their labels."""

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
SAME_SCENE = 'an image whose name, but for words such as "rgb", another image has'
OTHER_KIND, IS_LABEL = 'another kind of picture', 'a label, which is not read'
JPEG_LABEL = 'a label as JPEG, whose compression changes ids'


@dataclass
class Pairing:
    """Images with their labels.

    Attributes:
        root: Folder that all names are relative to.
        pairs: Names of images, each with that of its label or None.
        left_out: Other files below the folders, relative to these.
        chosen: Words in the names of labels, with the number of labels, where there were several for an image.
    """

    root: Path
    pairs: list[tuple[str, str | None]] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=dict)
    chosen: Counter = field(default_factory=Counter)

    @property
    def images(self) -> list[str]:
        """Absolute names of the images."""
        return [str(self.root / image) for image, _ in self.pairs]

    @property
    def labels(self) -> list[str]:
        """Absolute names of the labels that there are."""
        return [str(self.root / label) for _, label in self.pairs if label is not None]

    def leave_out(self, reason: str, names: Iterable[str]) -> None:
        """Note files that are not used."""
        self.left_out.setdefault(reason, []).extend(names)


def pair_folder(
    folder: str | Path,
    labels: str | Path | None = None,
    image_names: str | None = None,
    label_names: str | None = None,
    wants_labels: bool = True,
) -> Pairing:
    """Find the images of a folder, and the label of each.

    Labels are in a folder of their own, in folders below that of the images, or beside them. An image and its label
    have the same name, but for the suffix and words such as ``leftImg8bit`` and ``gtFine_labelIds``, in files and
    folders. Where nothing tells them apart, a PNG is the label of a JPEG of the same name.

    Args:
        folder: Images, and labels if ``labels`` is None.
        labels: A folder of labels.
        image_names: Pattern of the names of images, as ``'*_left.png'``.
        label_names: Pattern of the names of labels; other files are none.
        wants_labels: False leaves all labels out, and images without one are as good as others. True leaves images
            without a label out, unless there is no label at all.

    Raises:
        FileNotFoundError: If a folder does not exist, or there is no image in it.
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
    """Return the folder beside one of images that has its labels, by the names: ``x/labels/val`` for ``x/images/val``.

    Args:
        folder: Folder of images.
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
    """Return the images, and the files that may be labels."""
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
    """Return the scene of a file by what the star of a pattern such as ``'*_L.png'`` stands for."""
    pure = PurePosixPath(name.path)
    if pattern is None or pattern.count('*') != 1 or '/' in pattern or not _matches(name, pattern):
        return name.scene
    before, after = pattern.split('*')
    core = pure.name[len(before) : len(pure.name) - len(after)]
    return read_name(str(pure.with_name(f'{core}.png'))).scene if core else name.scene


def _beside(images: list[Name]) -> tuple[list[Name], list[Name]]:
    """Return the images and the PNG files that have the name of a JPEG, which are labels."""
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
        labels: Files that may be labels.
        keys: Scenes of each file, of which an image and its label share one.
        place_image: Makes the name of an image relative to the root.
        place_label: The same for labels.
        wants_labels: As for :func:`pair_folder`.
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
    """Leave out pairs whose sizes differ, or of which a file is no image."""
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
    """Return the function that makes names relative to the root of a pairing."""
    below = files.folder.relative_to(root)
    return lambda name: (below / name).as_posix()


def _nothing(files: Files, labels: list[Name], image_names: str | None) -> str:
    if image_names is not None:
        return (
            f'no image below {files.folder} has a name as {image_names!r}, of {len(files.names)}: correct --image-names'
        )
    if labels:
        return (
            f'all {len(labels)} images below {files.folder} have names of labels, as {labels[0].path}: give the folder '
            'of the images, or --image-names PATTERN'
        )
    passed = {reason: len(names) for reason, names in files.left_out.items()}
    return f'there is no image below {files.folder}' + (f' (passed over: {passed})' if passed else '')
