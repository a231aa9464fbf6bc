"""A pass over many images that continues after an interruption: for labelling, ranking and class statistics."""

import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from mmengine.logging import print_log

from mmuda.files import save_torch
from mmuda.progress import progress
from mmuda.ranks import rank_and_world_size

Place = TypeVar('Place')
Item = TypeVar('Item', contravariant=True)
PlaceIn = TypeVar('PlaceIn', contravariant=True)


class PassState(Protocol[PlaceIn, Item]):
    """State of a pass on one process."""

    def add(self, place: PlaceIn, item: Item) -> None:
        """Add one item."""

    def state(self) -> dict[str, Any]:
        """Return the collected state as tensors and plain values."""
        ...

    def load_state(self, state: dict[str, Any]) -> None:
        """Replace the collected state by one that :meth:`state` returned."""


class ResumablePass(Generic[Place]):
    """A pass of this process over its share of the work, with snapshots.

    A snapshot belongs to one rank and one number of processes. With another number of processes the pass starts from
    the beginning.

    Args:
        folder: Folder of the snapshots; :meth:`Job.finish` deletes them.
        places: Places of the items of this process. A place identifies an item, such as the index of an image.
        name: Name of the work, for the progress display.
        snapshot_every: Seconds between two snapshots. There is always a snapshot after the last item.
        unit: Plural of one item, for the progress display.
    """

    def __init__(
        self, folder: str | Path, places: Sequence[Place], name: str, snapshot_every: float = 30.0, unit: str = 'images'
    ) -> None:
        self.places, self.name, self.snapshot_every, self.unit = places, name, snapshot_every, unit
        rank, world_size = rank_and_world_size()
        self.snapshot = Path(folder) / f'snapshot_{rank}_of_{world_size}.pth'

    def run(self, items: Callable[[Sequence[Place]], Iterable], state: PassState) -> None:
        """Add all items to the state that its snapshot does not hold yet.

        Args:
            items: Function that is called with the remaining places. It yields their items in order.
            state: Collects the items. A snapshot is loaded into it first.
        """
        done = self._load(state)
        left = self.places[done:]
        saved = time.monotonic()
        for place, item in zip(left, progress(items(left), len(left), self.name, self.unit), strict=True):
            state.add(place, item)
            done += 1
            if done == len(self.places) or time.monotonic() - saved >= self.snapshot_every:
                save_torch(self.snapshot, dict(done=done, state=state.state()))
                saved = time.monotonic()

    def _load(self, state: PassState) -> int:
        """Load the snapshot into the state. Return its number of items; 0 if there is none, or it is damaged."""
        if not self.snapshot.is_file():
            return 0
        try:
            with zipfile.ZipFile(self.snapshot) as archive:
                if archive.testzip() is not None:
                    raise ValueError('its checksum differs')
            content = torch.load(self.snapshot, map_location='cpu', weights_only=True)
            done = content['done']
            if not 0 <= done <= len(self.places):
                raise ValueError(f'it holds {done} of {len(self.places)} {self.unit}')
        except (ValueError, KeyError, TypeError, RuntimeError, OSError, EOFError, zipfile.BadZipFile) as error:
            print_log(f'{self.snapshot} cannot be used ({error}): the pass starts from the beginning', logger='current')
            return 0
        state.load_state(content['state'])
        return done
