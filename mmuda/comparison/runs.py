"""One training of a comparison: a method and a seed, with a folder."""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmuda.checkpoints import latest_checkpoint
from mmuda.engine.launch import LIVE_KEYS
from mmuda.engine.run_settings import EVALUATION, RUNTIME
from mmuda.evaluation.result_files import FOLDER, PLAIN
from mmuda.files import write_atomically
from mmuda.settings import comparable
from mmuda.stages import build_stages, make_context, network_config

from .methods import Method
from .roots import data_roots


@dataclass
class Run:
    """A method trained with one seed.

    Attributes:
        method: The method.
        seed: ``randomness.seed`` of the training.
        folder: Work directory of the training, below that of the comparison.
    """

    method: Method
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        """Key of the run in the ledger."""
        return f'{self.method.name}/seed_{self.seed}'

    @property
    def config(self) -> Path:
        """Config file of the run, which includes the changes of the command line."""
        return self.folder.with_suffix('.py')

    def full_config(self) -> Config:
        """Return the config of the method with the seed."""
        cfg = Config(self.method.cfg.to_dict(), filename=str(self.method.path))
        cfg.merge_from_dict({'randomness.seed': self.seed, 'work_dir': str(self.folder)})
        return cfg

    def write_config(self) -> None:
        """Write the config file, without the variables of the config files that it comes from."""
        cfg = self.full_config()
        text = Config({key: cfg[key] for key in cfg if key in self._live(cfg) or key == 'custom_imports'}).pretty_text
        if not self.config.is_file() or self.config.read_text(encoding='utf-8') != text:
            write_atomically(self.config, text.encode())

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """Everything in the config that decides the weights, as the ledger keeps it."""
        return comparable(self._of_training())

    @functools.cached_property
    def roots(self) -> dict[str, str]:
        """Roots of the training data by place in the config, see :func:`data_roots`."""
        return data_roots(self._of_training())

    @functools.cached_property
    def test_settings(self) -> dict[str, Any]:
        """Everything in the config that decides the result of a test, with the folders of the images."""
        network = network_config(self.full_config())
        kept = {key: network.get(key) for key in ('model', 'test_dataloader', 'test_evaluator', 'tta_model')}
        if 'target_statistics' in network:
            kept['target_statistics'] = network.target_statistics
        return dict(comparable(kept), roots=data_roots(kept))

    def _of_training(self) -> dict[str, Any]:
        cfg = self.full_config()
        live = self._live(cfg) - RUNTIME
        return {key: value for key, value in cfg.items() if key in live and not key.startswith(EVALUATION)}

    @staticmethod
    def _live(cfg: Config) -> set[str]:
        return {*LIVE_KEYS, *(name for name in cfg.get('stages', ()) if isinstance(name, str))}

    def checkpoint(self) -> Path:
        """Return the last checkpoint of the finished training; with stages, that of the last stage that writes one.

        Raises:
            FileNotFoundError: If there is none.
        """
        found: str | Path | None
        if self.method.staged:
            cfg = self.full_config()
            ctx = make_context(cfg, build_stages(cfg))
            done = [name for name in ctx.stages if 'checkpoint' in ctx.ledger.entries.get(name, {}).get('result', {})]
            found = ctx.checkpoint(f'{{{done[-1]}}}') if done else None
        else:
            last = self.method.iterations()
            found = latest_checkpoint(self.folder) if last is None else self.folder / f'iter_{last}.pth'
        if found is None or not Path(found).is_file():
            raise FileNotFoundError(
                f'{self.name} ended without {Path(found or "a checkpoint").name} in {self.folder}: '
                'default_hooks.checkpoint must save the last iteration'
            )
        return Path(found)

    def iterations(self) -> int:
        """Return the iterations of all finished trainings together, from the names of their checkpoints."""
        if not self.method.staged:
            return _iteration(self.checkpoint())
        results = json.loads((self.folder / 'ledger.json').read_text(encoding='utf-8'))['stages']
        names = {stage.name for stage in self.method.stages}
        return sum(_iteration(Path(entry['result']['checkpoint'])) for name, entry in results.items() if name in names)

    def result_file(self, statistics: str) -> Path:
        """Return the file to which ``tools/test.py`` writes its results with some batch-norm statistics."""
        stem = PLAIN._replace(statistics=statistics).stem(self.checkpoint().stem)
        return self.folder / FOLDER / f'{stem}.json'


def plan_runs(methods: Sequence[Method], seeds: Sequence[int], work_dir: str | Path) -> list[Run]:
    """Return all runs, ordered by seed, so that a table of unfinished runs soon has all methods.

    Args:
        methods: Methods to compare.
        seeds: Seeds of each.
        work_dir: Folder of the comparison.
    """
    return [Run(method, seed, Path(work_dir) / method.name / f'seed_{seed}') for seed in seeds for method in methods]


def _iteration(checkpoint: Path) -> int:
    """Return the N of ``iter_N.pth``."""
    return int(checkpoint.stem.rsplit('_', 1)[-1])
