"""What stages know about the run that they belong to."""

import copy
import gc
import hashlib
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn

from mmuda.checkpoints.loading import weights_digest
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.engine.inference import load_model
from mmuda.engine.launch import LIVE_KEYS
from mmuda.files import fresh_folder

from .base import Stage
from .ledger import Ledger


class StagedRun:
    """Config, folders and ledger of a run of several stages.

    Args:
        cfg: The config that lists the stages.
        stages: All of them, expanded, in order.
        work_dir: Of the run; each stage has a folder in it.
        launcher: As in mmengine.

    Raises:
        ValueError: If two stages have the same name.
    """

    def __init__(self, cfg: Config, stages: list[Stage], work_dir: str | Path, launcher: str = 'none') -> None:
        self.cfg, self.stages, self.work_dir, self.launcher = cfg, stages, Path(work_dir), launcher
        names = [stage.name for stage in stages]
        if len(set(names)) < len(names):
            raise ValueError(f'two stages have the same name: {", ".join(names)}')
        self.folders: dict[str, Path] = {name: self.work_dir / name for name in names}
        self.ledger = Ledger(self.work_dir)
        self._digests: dict[str, str] = {}

    def base_config(self) -> Config:
        """The config without its stages and used-up variables."""
        kept = {
            key: copy.deepcopy(value)
            for key, value in self.cfg.items()
            if key in LIVE_KEYS - {'stages'} or key == 'custom_imports'
        }
        return Config(kept, filename=self.cfg.filename)

    def named(self, values: Iterable) -> set[str]:
        """Those of the values that are names of stages."""
        return {value for value in values if value in self.folders}

    def inputs(self, stage: Stage) -> dict[str, str | None]:
        """What a stage is made from: identities of other stages, digests of files; None for what is not there."""
        found: dict[str, str | None] = {name: self.ledger.identity(name) for name in stage.needs(self)}
        for file in stage.files(self):
            found[file] = self._digest(file)
        return found

    def _digest(self, file: str) -> str | None:
        if not Path(file).is_file():
            return None
        if file not in self._digests:
            digest = hashlib.sha256()
            with open(file, 'rb') as content:
                for block in iter(lambda: content.read(2**24), b''):
                    digest.update(block)
            self._digests[file] = digest.hexdigest()
        return self._digests[file]

    def stage(self, name: str) -> Stage:
        """A stage by name."""
        return next(stage for stage in self.stages if stage.name == name)

    def checkpoint(self, weights: str) -> Path:
        """The last checkpoint of a training stage, or a file.

        Raises:
            FileNotFoundError: If it is neither.
            ValueError: If the stage is not a training.
        """
        if weights in self.folders:
            result = self.ledger.result(weights)
            if 'checkpoint' not in result:
                raise ValueError(f'stage {weights!r} has no weights, it is no training')
            return self.folders[weights] / result['checkpoint']
        if not Path(weights).is_file():
            raise FileNotFoundError(
                f'weights {weights!r} are neither a file nor one of the stages {", ".join(self.folders)}'
            )
        return Path(weights)

    def network_config(self, weights: str) -> Config:
        """The config that belongs to weights: that of their stage, or, for a file, that of the run."""
        if weights in self.folders:
            return self.stage(weights).config(self)
        return self.base_config()

    def load_network(self, weights: str) -> nn.Module:
        """The trained network in eval mode."""
        return load_model(self.network_config(weights), self.checkpoint(weights))

    def weights_digest(self, weights: str) -> str:
        """SHA-256 of the weights; unlike that of their file it does not change with the times in the log."""
        path = self.checkpoint(weights)
        return weights_digest(read_checkpoint(path), str(path))

    def set_aside(self, names: Iterable[str]) -> Path | None:
        """Move the folders of stages into a new one, ``before_<time>``, if there are any; nothing is ever deleted."""
        names = [name for name in names if self.folders[name].is_dir()]
        if not names:
            return None
        folder = fresh_folder(self.work_dir / time.strftime('before_%Y%m%d_%H%M%S'))
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(str(self.folders[name]), str(folder / name))
        return folder

    @staticmethod
    def free_memory() -> None:
        """What a stage has left on the device."""
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
