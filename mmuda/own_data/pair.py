"""Decisions about a pair of own data sets, from which its configs are written."""

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
        pairing: Its images.
        channel: Channel of label files that holds the ids; None if there is one channel.
        table: Meaning of its label values, if it is another than that of the source.
        reading: How its images are read.
    """

    name: str
    pairing: Pairing
    channel: int | None = None
    table: dict | None = None
    reading: Reading = Reading()


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
