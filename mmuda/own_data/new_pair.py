"""Decisions about a pair of domains from the folders of a user: pairs of files, names of classes, a training plan."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmuda.constants import IGNORE_INDEX

from .class_files import Entry, find_class_file, is_table, read_class_file, read_classes
from .classes import Classes, ask_for_classes, keep, name_classes, require_equal, seen_names
from .files import ARCHIVES
from .label_values import LABELS, LabelValues, count_values
from .object_sizes import about_object_sizes
from .pair import Domain, Pair
from .pairing import Pairing, folder_of_labels, pair_folder
from .plan import make_plan
from .reading import Reading, find_reading
from .screen import about_images, about_values, hints, proposals
from .survey import Survey, survey

Tell = Callable[[str], None]
Ask = Callable[[str, str], str]
"""Function of a question and its default answer that returns the answer of the user."""

_MARGIN = ' ' * 8


@dataclass
class Request:
    """Options of a user for a new pair.

    Attributes:
        source: Folder of labelled images.
        target: Folder of images.
        val: Folder of images to validate with.
        labels: Folders of the labels of the source and of ``val``, if they are not beside or below the images.
        classes: Classes as :func:`read_classes` takes them; empty to ask the user.
        val_classes: Classes of the labels of ``val``, if these have other ids.
        ignore: Ids that mean no class.
        image_names: Pattern of the names of images.
        label_names: Pattern of the names of labels.
        sample: Number of labels to read of each folder; None reads all.
        name: Name of the pair.
        crop: Height and width of crops; None chooses them.
        batch: Images of each domain in an iteration; None chooses.
        iterations: Length of the training; None chooses.
        root_variable: Environment variable with the folder that holds all data; None writes absolute paths.
        command: The command line, which is written into the config as a comment.
    """

    source: str
    target: str
    val: str | None = None
    labels: Sequence[str] = ()
    classes: Sequence[str] = ()
    val_classes: Sequence[str] = ()
    ignore: Sequence[int] = ()
    image_names: str | None = None
    label_names: str | None = None
    sample: int | None = LABELS
    name: str = 'my_pair'
    crop: tuple[int, int] | None = None
    batch: int | None = None
    iterations: int | None = None
    root_variable: str | None = None
    command: str = field(default='tools/new_pair.py')


def new_pair(request: Request, tell: Tell = print, ask: Ask | None = None) -> Pair:
    """Inspect the folders of a request, and make all decisions that the configs need.

    Args:
        request: The request.
        tell: Function that shows a line to the user.
        ask: Function that asks the user for names of classes. With None, missing names are an error.

    Raises:
        FileNotFoundError: If a folder does not exist, or has no images.
        ValueError: If there are no labels, labels have values without a class, or source and validation differ in
            their classes.
    """
    labels = [*request.labels, None, None]
    source = _told('source', _pair(request, request.source, labels[0]), tell)
    if source.labels is None:
        raise ValueError(_no_labels(source.pairing))
    target = pair_folder(request.target, None, request.image_names, request.label_names, wants_labels=False)
    val = None if request.val is None else _pair(request, request.val, labels[1])
    _leave_out(target, source.pairing, '--source')
    if val is not None:
        _leave_out(target, val, '--val')
    target_look = _told('target', target, tell)
    target_survey = target_look.images
    seen = None if val is None else _told('val', val, tell)
    source_values = _values(source, request)
    entries, classes = _classes(request, source, source_values, tell, ask)
    tell(about_values(source_values, classes))
    watched = None if seen is None else _val_domain(request, seen, entries, classes, source, tell)
    if watched is None:
        tell(
            'val     none: the target has no labels to validate with, so validations give scores without labels; a '
            'part of the source would not show how well the target is segmented (--val DIR)'
        )
    plan = make_plan(
        source.images,
        target_survey,
        target_survey if seen is None else seen.images,
        request.crop,
        request.batch,
        request.iterations,
    )
    for line in about_object_sizes(source.images, target_survey, plan):
        tell(line)
    return Pair(
        request.name,
        Domain('source', source.pairing, source_values.channel, reading=source.reading),
        Domain('target', target, reading=target_look.reading),
        watched,
        classes,
        plan,
        request.command,
        request.root_variable,
    )


@dataclass
class _Look:
    pairing: Pairing
    images: Survey
    labels: Survey | None
    reading: Reading


def _pair(request: Request, folder: str, labels: str | None) -> Pairing:
    """Pair images and labels. Without other labels, use the folder that :func:`folder_of_labels` finds."""
    pairing = pair_folder(folder, labels, request.image_names, request.label_names)
    beside = None if labels or pairing.labels else folder_of_labels(folder)
    return pair_folder(folder, beside, request.image_names, request.label_names) if beside else pairing


def _told(name: str, pairing: Pairing, tell: Tell) -> _Look:
    images = survey(pairing.images)
    labels = survey(pairing.labels) if pairing.labels else None
    reading = find_reading(pairing.images, images)
    for line in (about_images(name, pairing, images, labels), *hints(images, reading)):
        tell(line)
    return _Look(pairing, images, labels, reading)


def _leave_out(target: Pairing, others: Pairing, option: str) -> None:
    """Leave out target images that another data set has as well.

    Raises:
        ValueError: If no image is left.
    """
    held = set(others.images)
    twice = [image for image, _ in target.pairs if str(target.root / image) in held]
    if len(twice) == len(target.pairs):
        raise ValueError(
            f'all {len(twice)} images of --target are also images of {option}: nothing is left to adapt to. Give two '
            'different folders'
        )
    if twice:
        target.leave_out(f'an image of {option}, too', twice)
        left = set(twice)
        target.pairs = [pair for pair in target.pairs if pair[0] not in left]


def _values(look: _Look, request: Request) -> LabelValues:
    """Count the values in labels, and leave out pairs whose labels cannot be read."""
    values = count_values(look.pairing.labels, request.sample)
    broken = set(values.unreadable)
    if broken:
        kept = [pair for pair in look.pairing.pairs if str(look.pairing.root / str(pair[1])) not in broken]
        look.pairing.leave_out('a label that cannot be read', sorted(broken))
        look.pairing.pairs = kept
    return values


def _classes(
    request: Request, look: _Look, values: LabelValues, tell: Tell, ask: Ask | None
) -> tuple[list[Entry], Classes]:
    """Return the classes that the user names, and their assignment to the values in the labels of the source."""
    if request.classes:
        entries = _read(request.classes, values, tell)
        return entries, _named(entries, values, request, tell)
    tell(about_values(values))
    for line in proposals(values):
        tell(line)
    found = find_class_file([look.pairing.root, Path(request.source)])
    if ask is None:
        near = f' (there is {found}: --classes {found})' if found else ''
        raise ValueError(
            f'the classes have no names{near}: add --classes NAME NAME ..., in the order of the ids above, or '
            '--classes FILE; and --ignore ID for ids that mean no class'
        )
    if found is not None and ask(f'{found} may name the classes: take it? (yes or no)', 'yes').lower()[:1] == 'y':
        entries = read_class_file(found)
    else:
        entries = ask_for_classes(values, ask)
    return entries, name_classes(entries, values, request.ignore)


def _named(entries: list[Entry], values: LabelValues, request: Request, tell: Tell) -> Classes:
    """Assign the classes to the values in labels. If they do not fit, show the table of the values before the error."""
    try:
        return name_classes(entries, values, request.ignore)
    except ValueError:
        tell(about_values(values))
        raise


def _read(words: Sequence[str], values: LabelValues, tell: Tell, names: Collection[str] | None = None) -> list[Entry]:
    """Read the classes that the command line names; of a label table of mmuda, only the classes that are needed.

    Args:
        words: Classes as :func:`read_classes` takes them.
        values: Values in the labels.
        tell: Function that shows a line about ignored classes to the user.
        names: Classes of the network; None takes the classes that occur in the labels.
    """
    entries = read_classes(words)
    if not is_table(words):
        return entries
    kept = keep(entries, seen_names(entries, values) if names is None else names)
    seen, known = seen_names(entries, values), {entry.name for entry in kept}
    lost = [name for name in dict.fromkeys(entry.name for entry in entries) if name not in known]
    if lost:
        shown = [name for name in lost if name in seen]
        more = f' (labels have {", ".join(shown)})' if shown else ''
        tell(f'{_MARGIN}classes of {words[0]} that do not occur in the source are ignored: {", ".join(lost)}{more}')
    return kept


def _val_domain(
    request: Request, look: _Look, entries: list[Entry], classes: Classes, source: _Look, tell: Tell
) -> Domain:
    """Return the data set of the validation, whose labels must have the classes of the source.

    Raises:
        ValueError: If they have other classes or values.
    """
    if look.labels is None:
        tell('val     has no labels: validations give scores without labels')
        return Domain('val', look.pairing, reading=look.reading)
    values = _values(look, request)
    if request.val_classes:
        others = _read(request.val_classes, values, tell, classes.names)
        require_equal(entries, others, 'val')
        own = _named(others, values, request, tell)
        tell(about_values(values, own))
        places = {place: classes.names.index(name) for place, name in enumerate(own.names)}
        table = {value: places.get(train, IGNORE_INDEX) for value, train in own.table.items()}
        return Domain('val', look.pairing, values.channel, None if table == classes.table else table, look.reading)
    files = [find_class_file([one.pairing.root]) for one in (source, look)]
    if files[0] is not None and files[1] is not None and files[0] != files[1]:
        require_equal(entries, read_class_file(files[1]), f'val ({files[1]})', one_table=True)
    lost = [value for value in values.values if value not in classes.table]
    if lost or values.are_colours != classes.are_colours:
        raise ValueError(_other_values(values, classes, lost))
    tell(about_values(values, classes))
    return Domain('val', look.pairing, values.channel, reading=look.reading)


def _other_values(values: LabelValues, classes: Classes, lost: Sequence) -> str:
    ours = ', '.join(f'{value} {classes.name_of(value)}' for value in classes.table)
    theirs = ', '.join(map(str, values.values[:60]))
    return (
        f'labels of source and val have different values; {len(lost)} of val have no class:\n  source: {ours}\n'
        f'  val:    {theirs}\nIf val has other ids or colours, name them with --val-classes FILE; if ids mean no '
        'class, ignore them with --ignore ID'
    )


def _no_labels(pairing: Pairing) -> str:
    image = pairing.pairs[0][0] if pairing.pairs else '?'
    others = [name for names in pairing.left_out.values() for name in names]
    packed = next((name for name in others if Path(name).suffix.lower() in ARCHIVES), None)
    if packed is not None:
        return f'no image below {pairing.root} has a label: if the labels are in {packed}, unpack it'
    return (
        f'no image below {pairing.root} has a label. An image is {image}; its label needs the same name, except for '
        'its suffix and words such as "label" or "mask", in the same tree or in that of --labels DIR. --label-names '
        'PATTERN and --image-names PATTERN select the files'
    )
