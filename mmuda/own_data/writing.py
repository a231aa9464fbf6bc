"""Config files that replace nothing unasked, in folders that a config can name."""

from pathlib import Path

from mmuda.files import write_atomically


def write_files(folder: Path, files: dict[str, str], overwrite: bool) -> list[Path]:
    """Write files that are new, or others than before; nothing is written if one may not be replaced.

    Args:
        folder: Where they go.
        files: Text by name.
        overwrite: Whether files with another text may be replaced.

    Returns:
        The files that were written.

    Raises:
        FileExistsError: If a file with another text is there, without ``overwrite``.
    """
    changed = {name: text for name, text in files.items() if not _holds(folder / name, text)}
    there = [name for name in changed if (folder / name).exists()]
    if there and not overwrite:
        raise FileExistsError(
            f'{folder} has {", ".join(there)} with another text: give another --name or --out, or replace them with '
            '--overwrite'
        )
    for name, text in changed.items():
        write_atomically(folder / name, text.encode())
    return [folder / name for name in changed]


def check_folder(folder: Path) -> None:
    """Check that a config in a folder can name the files beside it: mmengine pastes its path into the config.

    Raises:
        ValueError: If signs in the path would end the string there.
    """
    text = str(folder.resolve())
    if "'''" in text or text.endswith("'") or any(sign in text for sign in '\\{}\n\r'):
        raise ValueError(
            f'{text!r} has signs in it that a config cannot hold in its own path: choose --out without backslashes, '
            'braces, line breaks and a quote at its end'
        )


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()
