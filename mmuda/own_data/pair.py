"""Decisions about a pair of the user's data sets, from which its configs are written."""

from dataclasses import dataclass

from .classes import Classes
from .pairing import Pairing
from .plan import Plan
from .reading import Reading


@dataclass
class Domain:
    """A data set of a pair.

    Attributes:
        name: ``source``, ``target`` or ``val``.
        pairing: Its images and labels.
        channel: Index of the channel of label files that holds the ids, see :class:`LabelValues`.
        table: Train id of each of its label values, if they differ from those of the source.
        reading: Options with which its images are read.
    """

    name: str
    pairing: Pairing
    channel: int | None = None
    table: dict | None = None
    reading: Reading = Reading()


@dataclass
class Pair:
    """Content of the config of a pair.

    Attributes:
        name: Name of the pair, and of its folder.
        source: Labelled images.
        target: Images without labels.
        val: More images of the target domain for validations; None validates with some images of ``target``.
        classes: Classes of the network.
        plan: Sizes and lengths of the training.
        command: Command line that wrote it.
        root_variable: Environment variable with the folder that holds all data; None writes absolute paths.
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
        """Data set of the validations: ``val``, or else ``target``, of which they use some images."""
        return self.val or self.target

    @property
    def domains(self) -> list[Domain]:
        """The data sets of the pair: source, target and, if given, val."""
        return [domain for domain in (self.source, self.target, self.val) if domain is not None]
