"""What a stage is."""

from abc import ABCMeta, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .references import references

if TYPE_CHECKING:
    from .context import StagedRun


class Stage(metaclass=ABCMeta):
    """One step of a paper: it has a name, a folder below the work directory, and results that later stages use by name.

    Stages are registered in mmseg's ``TASK_UTILS`` and named in ``stages`` of a config whose ``runner_type`` is
    ``'StagedRunner'``. :meth:`run` is called on all ranks.

    Args:
        name: Unique in the config; also the folder (``rounds/0/label`` is three folders deep).
    """

    def __init__(self, name: str) -> None:
        if not name or name != name.strip('/ ') or '..' in name or any(sign in name for sign in '{}\\,'):
            raise ValueError(f'{name!r} cannot be the name of a stage: it is a folder name, without braces and commas')
        self.name = name

    @abstractmethod
    def settings(self, run: 'StagedRun') -> dict[str, Any]:
        """Everything in the config that decides the result, references not resolved.

        The ledger compares it when a run is resumed.
        """

    @abstractmethod
    def run(self, run: 'StagedRun', folder: Path, resume: bool) -> dict[str, Any]:
        """Do the work.

        Args:
            run: Config and folders of the whole run.
            folder: Where results go; exists.
            resume: Go on inside what a killed process left there.

        Returns:
            Plain values for the ledger, of which ``metrics`` is shown in the summary.
        """

    def needs(self, run: 'StagedRun') -> set[str]:
        """Names of the stages whose results this one uses."""
        return set(references(self.settings(run)))

    def files(self, run: 'StagedRun') -> set[str]:
        """Files from outside of the run (weights, lists) whose content decides the result."""
        return set()
