"""Files that run code when they are unpickled."""

from pathlib import Path

import torch


class Trap:
    """An object that writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return open, (self.path, 'w')


def trap(folder: Path) -> tuple[Path, Path]:
    """Write a checkpoint that contains a trap.

    Returns:
        The checkpoint, and the file that appears if the trap is unpickled.
    """
    marker = folder / 'marker'
    torch.save(dict(state_dict={}, meta=dict(trap=Trap(marker))), folder / 'trap.pth')
    assert not marker.exists()
    return folder / 'trap.pth', marker
