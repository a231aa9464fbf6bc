"""Files that run code when they are unpickled."""

from pathlib import Path

import torch


class Trap:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return open, (self.path, 'w')


def trap(folder: Path) -> tuple[Path, Path]:
    """Write a checkpoint that holds a trap.

    Returns:
        The checkpoint, and the file that appears if it is unpickled.
    """
    marker = folder / 'marker'
    torch.save(dict(state_dict={}, meta=dict(trap=Trap(marker))), folder / 'trap.pth')
    assert not marker.exists()
    return folder / 'trap.pth', marker
