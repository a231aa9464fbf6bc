"""Which stages of a run are done: ``ledger.json`` in its work directory."""

import json
import secrets
from pathlib import Path
from typing import Any

from mmuda.files import write_json
from mmuda.settings import comparable, differences, shortened

_FORMAT = 2


class Ledger:
    """Stages by name, each ``running`` or ``done``, with the settings and the inputs that it was run with.

    The file is replaced as a whole after every change, so a kill at any time leaves the state before or after it.

    Args:
        work_dir: Folder of the run.

    Raises:
        ValueError: If the file is damaged.
    """

    def __init__(self, work_dir: Path) -> None:
        self.path = Path(work_dir) / 'ledger.json'
        self.entries: dict[str, dict] = {}
        if self.path.is_file():
            try:
                content = json.loads(self.path.read_text(encoding='utf-8'))
                self.entries = dict(content['stages'])
                if content['format'] == 1:
                    _name_references(self.entries)
                elif content['format'] != _FORMAT:
                    raise ValueError(f'its format is {content["format"]}, expected 1 or {_FORMAT}')
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f'{self.path} cannot be read ({error}): move the folder away and start anew'
                ) from error

    def status(self, name: str) -> str | None:
        """Return ``'running'``, ``'done'`` or None."""
        return self.entries.get(name, {}).get('status')

    def result(self, name: str) -> dict[str, Any]:
        """Return what a finished stage returned."""
        return self.entries[name]['result']

    def identity(self, name: str) -> str | None:
        """Return what tells one execution of a stage from another; None unless it is done."""
        return self.entries[name]['id'] if self.status(name) == 'done' else None

    def begin(self, name: str, settings: Any, inputs: dict[str, str | None]) -> None:
        """Note that a stage was started.

        Args:
            name: Name of the stage.
            settings: Its settings.
            inputs: Identities of the stages, and digests of the files, that it is made from.
        """
        self.entries[name] = dict(
            status='running', id=secrets.token_hex(8), settings=comparable(settings), inputs=inputs
        )
        self._write()

    def finish(self, name: str, result: dict[str, Any], seconds: float) -> None:
        """Note that a stage is done."""
        self.entries[name].update(status='done', result=result, seconds=round(seconds, 1))
        self._write()

    def forget(self, names: list[str]) -> None:
        """Remove stages that will be executed again."""
        for name in names:
            self.entries.pop(name, None)
        self._write()

    def check(self, name: str, settings: Any, inputs: dict[str, str | None]) -> None:
        """Compare with the settings and inputs that a stage was begun with.

        Raises:
            RuntimeError: If they differ, naming where and what to do.
        """
        changed = differences(self.entries[name]['settings'], comparable(settings))
        changed += [
            f'{used} is not what it was made from any more'
            for used, identity in self.entries[name]['inputs'].items()
            if inputs.get(used) != identity
        ]
        if changed:
            told = '\n  '.join(shortened(changed))
            raise RuntimeError(
                f'stage {name!r} in {self.path.parent} was run with something else:\n  {told}\n'
                f'Undo the change, or run it and all after it again with --restart-from {name}'
            )

    def _write(self) -> None:
        write_json(self.path, dict(format=_FORMAT, stages=self.entries))


def _name_references(entries: dict[str, dict]) -> None:
    """Bring ledgers of format 1 up to date, where ``weights`` and ``labels`` named stages without braces."""
    for entry in entries.values():
        for key in ('weights', 'labels'):
            value = entry['settings'].get(key)
            if isinstance(value, str) and value in entries:
                entry['settings'][key] = f'{{{value}}}'
