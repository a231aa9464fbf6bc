"""The interface of a stage: one step of a paper with a name, a folder and a result."""

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from mmengine.config import Config

from .context import StageContext
from .references import references


class Stage(metaclass=ABCMeta):
    """One step of a paper: it has a name, a folder below the work directory, and results that later stages use.

    Stages are registered in :data:`mmuda.registry.STAGES` and named in ``stages`` of a config whose ``runner_type`` is
    ``'StagedRunner'``. A later stage refers to an earlier one as ``'{name}'`` (its folder or, as ``weights``, its last
    checkpoint) or as ``'{name}/file'``.

    Args:
        name: Unique in the config; also the folder (``rounds/0/label`` is three folders deep).

    Raises:
        ValueError: If the name cannot be the name of a folder.
    """

    weights: str | None = None
    """Network that the stage trains further or predicts with: ``'{stage}'``, a checkpoint file, or None."""

    FILES: ClassVar[tuple[str, ...] | None] = None
    """Files in the folder of the stage that later stages can use as ``'{name}/file'``; None if not known beforehand."""

    ARGUMENTS_OF: ClassVar[Mapping[str, type]] = {}
    """Arguments that are dicts of arguments of another class, with that class, so that their keys can be checked."""

    def __init__(self, name: str) -> None:
        if not name or name != name.strip('/ ') or '..' in name or any(sign in name for sign in '{}\\,'):
            raise ValueError(
                f'{name!r} cannot be the name of a stage: use the name of a folder in the work directory, without '
                "braces, commas, backslashes and '..'"
            )
        self.name = name

    @abstractmethod
    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Return everything in the config that decides the result, with references not yet resolved to paths.

        The :class:`~mmuda.stages.ledger.Ledger` of the run compares it when the run is resumed.
        """

    @abstractmethod
    def execute(self, ctx: StageContext, folder: Path, resume: bool) -> dict[str, Any]:
        """Do the work. All processes call it.

        Args:
            ctx: Config, folders and ledger of the run.
            folder: Existing folder for the results.
            resume: Whether to continue the work of an interrupted call in this folder.

        Returns:
            Plain values for the ledger. ``metrics`` is shown in the summary. ``checkpoint`` is the name of the file in
            the folder that later stages get as ``weights='{name}'``.
        """

    def inputs(self, ctx: StageContext) -> set[str]:
        """Return the inputs that decide the result: references to earlier stages, and files outside the run."""
        found = {f'{{{name}}}' for name in references(self.settings(ctx))}
        return found | ({self.weights} if self.weights else set())

    def files(self, folder: Path, result: dict[str, Any]) -> list[str]:
        """Return the names of the files in the folder that later stages can use; the ledger keeps their digests.

        By default these are all files directly in the folder, without logs and hidden files.

        Args:
            folder: Folder of the stage.
            result: Result of :meth:`execute`.
        """
        return sorted(
            path.name
            for path in folder.iterdir()
            if path.is_file() and path.suffix != '.log' and not path.name.startswith('.')
        )

    def config(self, ctx: StageContext) -> Config:
        """Return the config of the network that the stage trains, with references not yet resolved to paths.

        Raises:
            ValueError: If the stage trains no network.
        """
        raise ValueError(f'stage {self.name!r}, a {type(self).__name__}, trains no network')

    def expand(self) -> list['Stage']:
        """Return the stages that replace this one in a run. Most stages return only themselves."""
        return [self]
