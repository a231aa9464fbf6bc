"""The ledger of a run: the states of its stages, in ``ledger.json`` in its work directory."""

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmuda.files import checksum, file_digest, write_json
from mmuda.settings import comparable, differences, is_below, shortened

_FORMAT = 2


class Ledger:
    """Record of the stages by name. Each is ``running`` or ``done``, and has the settings and inputs of its execution.

    A finished stage also has its result, and the digests of the files that later stages can use.

    The file is replaced atomically after every change.

    Args:
        work_dir: Folder of the run.

    Raises:
        ValueError: If the file is damaged.
    """

    def __init__(self, work_dir: Path) -> None:
        self.path = Path(work_dir) / 'ledger.json'
        self.entries: dict[str, dict] = {}
        self.run: str | None = None
        self.reload()

    def reload(self) -> None:
        """Read the file.

        Raises:
            ValueError: If it is damaged.
        """
        self.entries, self.run = {}, None
        if self.path.is_file():
            try:
                content = json.loads(self.path.read_text(encoding='utf-8'))
                self.entries, self.run = dict(content['stages']), content.get('run')
                if 'checksum' in content and content['checksum'] != checksum(self.entries):
                    raise ValueError('its checksum differs: it is damaged, or was changed by hand')
                _check_entries(self.entries)
                if content['format'] == 1:
                    _name_references(self.entries)
                elif content['format'] != _FORMAT:
                    raise ValueError(f'its format is {content["format"]}, expected 1 or {_FORMAT}')
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f'{self.path} cannot be read ({error}): move the folder away and start again, or delete only this '
                    'file: all stages are then executed again, and their earlier results are moved aside'
                ) from error

    def status(self, name: str) -> str | None:
        """Return ``'running'``, ``'done'``, or None for a stage that was not started."""
        return self.entries.get(name, {}).get('status')

    def result(self, name: str) -> dict[str, Any]:
        """Return the result of a finished stage."""
        return self.entries[name]['result']

    def identity(self, name: str) -> str | None:
        """Return the random id of the execution of a stage; None unless the stage is done."""
        return self.entries[name]['id'] if self.status(name) == 'done' else None

    def begin(self, name: str, settings: Any, inputs: dict[str, str | None]) -> None:
        """Record that a stage was started.

        Args:
            name: Name of the stage.
            settings: Settings of the stage.
            inputs: Identities of the stages, and digests of the files, that the stage uses.
        """
        self.entries[name] = dict(
            status='running', id=secrets.token_hex(8), settings=comparable(settings), inputs=inputs
        )
        self._write()

    def finish(self, name: str, result: dict[str, Any], seconds: float, digests: dict[str, str] | None = None) -> None:
        """Record that a stage is done.

        Args:
            name: Name of the stage.
            result: Result of its execution.
            seconds: Time of its execution.
            digests: SHA-256 of the files that it wrote, by their names in its folder.
        """
        self.entries[name].update(status='done', result=result, seconds=round(seconds, 1), digests=digests or {})
        self._write()

    def begin_run(self, run: str | None) -> None:
        """Record the run to which the stages belong from now on."""
        self.run = run
        self._write()

    def changed_files(self, name: str, folder: Path) -> list[str]:
        """Return the files of a finished stage that are missing or changed. Earlier versions recorded no files."""
        found = []
        for file, digest in self.entries[name].get('digests', {}).items():
            path = folder / file
            if not path.is_file():
                found.append(f'{file} is missing')
            elif file_digest(path) != digest:
                found.append(f'{file} was changed')
        return found

    def forget(self, names: list[str]) -> None:
        """Remove the entries of stages that will be executed again."""
        for name in names:
            self.entries.pop(name, None)
        self._write()

    def check(self, name: str, settings: Any, inputs: dict[str, str | None], allowed: Sequence[str] = ()) -> list[str]:
        """Compare settings and inputs with those of the start of a stage.

        Args:
            name: Name of the stage.
            settings: Settings of the stage now.
            inputs: As for :meth:`begin`.
            allowed: Keys of settings, or their beginnings, that are allowed to differ.

        Returns:
            The allowed differences.

        Raises:
            RuntimeError: If something else differs. The message lists the differences and the remedy.
        """
        changed = differences(self.entries[name]['settings'], comparable(settings))
        permitted = [line for line in changed if any(is_below(line, key) for key in allowed)]
        changed = [line for line in changed if line not in permitted]
        changed += [
            f'{used} has changed since this stage was started'
            for used, identity in self.entries[name]['inputs'].items()
            if inputs.get(used) != identity
        ]
        if changed:
            told = '\n  '.join(shortened(changed))
            raise RuntimeError(
                f'stage {name!r} in {self.path.parent} was started with other settings or inputs:\n  {told}\n'
                f'Undo the change, or run this stage and all later ones again with --restart-from {name} (or keep the '
                'finished results and continue with other settings: --allow KEY)'
            )
        return permitted

    def change(self, name: str, settings: Any, lines: list[str]) -> None:
        """Record that an interrupted stage continues with other settings."""
        entry = self.entries[name]
        entry.update(settings=comparable(settings), allowed=[*entry.get('allowed', []), *lines])
        self._write()

    def _write(self) -> None:
        write_json(self.path, dict(format=_FORMAT, run=self.run, checksum=checksum(self.entries), stages=self.entries))


def _check_entries(entries: dict[str, Any]) -> None:
    """Check that entries have all keys that are read.

    Raises:
        ValueError: If an entry lacks one. The message names the first such entry.
    """
    for name, entry in entries.items():
        if not isinstance(entry, dict) or entry.get('status') not in ('running', 'done'):
            raise ValueError(f"entry {name!r} has no status 'running' or 'done'")
        wanted = dict(settings=dict, inputs=dict, id=str, **({'result': dict} if entry['status'] == 'done' else {}))
        wrong = [key for key, kind in wanted.items() if not isinstance(entry.get(key), kind)]
        if wrong:
            raise ValueError(f'entry {name!r} lacks {", ".join(wrong)}')


def _name_references(entries: dict[str, dict]) -> None:
    """Update a ledger of format 1, in which ``weights`` and ``labels`` name stages without braces."""
    for entry in entries.values():
        for key in ('weights', 'labels'):
            value = entry['settings'].get(key)
            if isinstance(value, str) and value in entries:
                entry['settings'][key] = f'{{{value}}}'
