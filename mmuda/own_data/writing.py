"""Writing of config files. No file is replaced without permission, and a config must be able to name its folder."""

from pathlib import Path

from mmuda.files import write_atomically


def write_files(folder: Path, files: dict[str, str], overwrite: bool) -> list[Path]:
    """Write the files that are new or whose text has changed.

    Args:
        folder: Folder of the files.
        files: Text by name.
        overwrite: Whether files with another text are replaced.

    Returns:
        The files that were written.

    Raises:
        FileExistsError: If a file with another text exists, without ``overwrite``. Nothing is written.
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
    return path.is_file() and path.read_bytes() == text.encode()
