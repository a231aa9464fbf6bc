"""The run that a stage belongs to: config, folders, ledger, networks."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from mmengine.config import Config
from torch import nn

from mmuda.checkpoints.loading import weights_digest
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.engine.inference import load_model
from mmuda.engine.launch import LIVE_KEYS
from mmuda.files import file_digest

from .ledger import Ledger
from .references import resolve, stage_of


class NetworkStage(Protocol):
    """Stage that can have the config of a network."""

    def config(self, ctx: 'StageContext') -> Config:
        """Return the config of the network."""
        ...


class StageContext:
    """Config, folders and ledger of a run of several stages.

    Args:
        cfg: Config that lists the stages.
        stages: All stages by name, expanded, in order.
        work_dir: Folder of the run; each stage has a folder in it.
        launcher: As in mmengine.
    """

    def __init__(
        self, cfg: Config, stages: Mapping[str, NetworkStage], work_dir: str | Path, launcher: str = 'none'
    ) -> None:
        self.cfg, self.work_dir, self.launcher = cfg, Path(work_dir), launcher
        self.stages = dict(stages)
        self.folders: dict[str, Path] = {name: self.work_dir / name for name in stages}
        self.ledger = Ledger(self.work_dir)
        self._digests: dict[str, str] = {}

    def base_config(self) -> Config:
        """Return a copy of the config with only the keys of a training: without stages and variables of the file."""
        kept = {
            key: copy.deepcopy(value)
            for key, value in self.cfg.items()
            if key in LIVE_KEYS - {'stages'} or key == 'custom_imports'
        }
        return Config(kept, filename=self.cfg.filename)

    def resolve(self, value: Any) -> Any:
        """Return a copy of a (nested) value with each reference replaced by the folder of its stage."""
        return resolve(value, self.folders)

    def identity(self, source: str) -> str | None:
        """Return a text that changes whenever an input changes.

        Args:
            source: Reference to a stage, or a file.

        Returns:
            The id of the execution of a finished stage, or the SHA-256 of a file; None if there is no such result.
        """
        name = stage_of(source)
        return self._file_digest(source) if name is None else self.ledger.identity(name)

    def checkpoint(self, weights: str) -> Path:
        """Return the checkpoint file of ``weights`` of a stage.

        Args:
            weights: ``'{stage}'`` for the last checkpoint of a training, ``'{stage}/file'``, or a file.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If the stage has no checkpoint.
        """
        name = stage_of(weights)
        if name is not None and weights == f'{{{name}}}':
            result = self.ledger.result(name)
            if 'checkpoint' not in result:
                raise ValueError(f'stage {name!r} has no weights: refer to a stage that writes a checkpoint')
            return self.folders[name] / result['checkpoint']
        path = Path(self.resolve(weights))
        if not path.is_file():
            raise FileNotFoundError(
                f"weights {weights!r} are neither a file nor, as '{{name}}', one of the stages "
                f'{", ".join(self.folders)}'
            )
        return path

    def network_config(self, weights: str) -> Config:
        """Return the config that belongs to weights: the config of their stage, or for a file the config of the run."""
        name = stage_of(weights)
        return self.base_config() if name is None else self.stages[name].config(self)

    def load_network(self, weights: str, classes: Sequence[str] | None = None) -> nn.Module:
        """Return the trained network in eval mode; see :func:`load_model`."""
        return load_model(self.network_config(weights), self.checkpoint(weights), classes)

    def weights_digest(self, weights: str) -> str:
        """Return the SHA-256 of the weights. Unlike the SHA-256 of their file, it does not depend on logged times."""
        path = self.checkpoint(weights)
        return weights_digest(read_checkpoint(path), str(path))

    def _file_digest(self, file: str) -> str | None:
        if not Path(file).is_file():
            return None
        if file not in self._digests:
            self._digests[file] = file_digest(file)
        return self._digests[file]
