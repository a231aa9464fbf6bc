"""What a stage is."""
import copy
import hashlib
import json
from abc import ABCMeta, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Set

from .references import references

if TYPE_CHECKING:
    from .run import StagedRun

INDIFFERENT = {'data_root', 'num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'backend_args'}
"""Keys at any depth that change where and how fast data is read, and nothing else."""


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
    def settings(self, run: 'StagedRun') -> Dict[str, Any]:
        """Everything in the config that decides the result, references not resolved.

        The ledger compares it when a run is resumed.
        """

    @abstractmethod
    def run(self, run: 'StagedRun', folder: Path, resume: bool) -> Dict[str, Any]:
        """Do the work.

        Args:
            run: Config and folders of the whole run.
            folder: Where results go; exists.
            resume: Go on inside what a killed process left there.

        Returns:
            Plain values for the ledger, of which ``metrics`` is shown in the summary.
        """

    def needs(self, run: 'StagedRun') -> Set[str]:
        """Names of the stages whose results this one uses."""
        return set(references(self.settings(run)))

    def files(self, run: 'StagedRun') -> Set[str]:
        """Files from outside of the run (weights, lists) whose content decides the result."""
        return set()


def comparable(settings: Any) -> Any:
    """Settings as JSON has them, without keys that cannot change a result."""
    def plain(node: Any) -> Any:
        if isinstance(node, dict):
            return {str(key): plain(value) for key, value in node.items() if key not in INDIFFERENT}
        if isinstance(node, (list, tuple)):
            return [plain(value) for value in node]
        return node if node is None or isinstance(node, (bool, int, float, str)) else repr(node)

    return plain(copy.deepcopy(settings))


def fingerprint(settings: Any) -> str:
    """Short digest of :func:`comparable` settings."""
    return hashlib.sha256(json.dumps(comparable(settings), sort_keys=True).encode()).hexdigest()[:16]


def differences(before: Any, now: Any, place: str = '') -> List[str]:
    """Where two comparable settings differ, one line each."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [line for key in sorted(set(before) | set(now))
                for line in differences(before.get(key), now.get(key), f'{place}.{key}' if place else key)]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [line for i, pair in enumerate(zip(before, now)) for line in differences(*pair, f'{place}.{i}')]
    return [] if before == now else [f'{place}: was {_short(before)}, is {_short(now)}']


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f'{text[:77]}...'
