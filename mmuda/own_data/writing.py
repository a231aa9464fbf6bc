"""Writing of config files. No file is replaced without permission, and a config must be able to name its folder."""

from itertools import dropwhile, zip_longest
from pathlib import Path

from mmuda.files import write_atomically

WRITTEN_BY = 'Written by: '
"""Beginning of the comment that holds the command line. It extends to the next line that is no comment."""


def write_files(folder: Path, files: dict[str, str], overwrite: bool, keep: bool = False) -> list[Path]:
    """Write the files that are new or whose text has changed.

    The command line that wrote a file is no part of the comparison, so that commands with other options that give the
    same file keep it.

    Args:
        folder: Folder of the files.
        files: Text by name.
        overwrite: Whether files with another text are replaced.
        keep: Whether files with another text stay as they are.

    Returns:
        The files that were written.

    Raises:
        FileExistsError: If a file with another text exists, without ``overwrite`` or ``keep``. Nothing is written. The
            message shows the first line that differs.
    """
    changed = {name: text for name, text in files.items() if not _holds(folder / name, text)}
    there = [name for name in changed if (folder / name).exists()]
    if keep:
        changed = {name: text for name, text in changed.items() if name not in there}
    elif there and not overwrite:
        raise FileExistsError(
            f'{folder} has {", ".join(there)} with another text: keep them with --keep, replace them with --overwrite, '
            f'or give another --name or --out.{_first_difference(folder / there[0], changed[there[0]])}'
        )
    for name, text in changed.items():
        write_atomically(folder / name, text.encode())
    return [folder / name for name in changed]


def check_folder(folder: Path) -> None:
    """Check that a config in a folder can name the files beside it: mmengine inserts its path into the config.

    Raises:
        ValueError: If characters in the path would break the string that it is inserted into.
    """
    text = str(folder.resolve())
    if "'''" in text or text.endswith("'") or any(sign in text for sign in '\\{}\n\r'):
        raise ValueError(
            f'{text!r} has characters that a config cannot hold in its own path: choose --out without backslashes, '
            'braces, line breaks and a quote at its end'
        )


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and _without_command(path.read_bytes().decode(errors='replace')) == _without_command(text)


def _without_command(text: str) -> list[str]:
    """Return the lines of a file without the comment that holds the command line."""
    lines = text.splitlines(keepends=True)
    start = next((place for place, line in enumerate(lines) if line.startswith(f'# {WRITTEN_BY}')), len(lines))
    return lines[:start] + list(dropwhile(lambda line: line.startswith('#'), lines[start:]))


def _first_difference(path: Path, text: str) -> str:
    """Return lines that show the first line in which a file and its new text differ; '' for a folder."""
    if not path.is_file():
        return ''
    old, new = map(_without_command, (path.read_bytes().decode(errors='replace'), text))
    pairs = zip_longest(old, new, fillvalue='(end of the file)')
    before, after = next(pair for pair in pairs if pair[0] != pair[1])
    return f' First difference in {path.name}:\n  old: {before.rstrip()}\n  new: {after.rstrip()}'
