"""All sections of the report, in order. An error in one section does not stop the others."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope

from mmuda.checks import Finding
from mmuda.checks.data import TEST
from mmuda.checks.finding import one_line
from mmuda.engine.launch import load_config
from mmuda.engine.terminal import log_from

from .costs import NAME, cache_size, examine_costs, label_size
from .datasets import DataSets, examine_datasets, examined_places
from .environment import examine_environment
from .findings import all_findings, related, trainings
from .network import examine_networks, network_findings
from .rows import ERROR, SKIPPED, WARNING, Section, row_of
from .schedule import examine_schedules

SAMPLE = 64
"""Images of each data set that are decoded by default."""


class Options(NamedTuple):
    """Extent of an examination.

    Attributes:
        images: Number of images of each data set to decode; None for all.
        fast: Whether to leave out all steps that read images, load weights or compute.
        work_dir: ``--work-dir`` of ``tools/train.py``. The free space of its disk is checked.
        overrides: ``--cfg-options``, by dotted key.
    """

    images: int | None = SAMPLE
    fast: bool = False
    work_dir: str | None = None
    overrides: dict[str, Any] | None = None


class Examination:
    """Examination of the environment and of a config.

    Args:
        config: A config file; None examines the environment alone.
        options: Extent of the examination.
    """

    def __init__(self, config: str | Path | None = None, options: Options | None = None) -> None:
        self.config, self.options = config, options or Options()
        self.done: list[Section] = []

    def sections(self) -> Iterator[Section]:
        """Yield the sections as soon as each is complete; the first ones take seconds."""
        with DefaultScope.overwrite_default_scope('mmseg'), log_from(logging.WARNING):
            for section in self._sections():
                self.done.append(section)
                yield section

    def content(self) -> dict[str, Any]:
        """Return all sections so far as plain values."""
        return dict(
            config=None if self.config is None else str(self.config),
            errors=self.count(ERROR),
            warnings=self.count(WARNING),
            sections=[section.content() for section in self.done],
        )

    def count(self, verdict: str) -> int:
        """Return the number of rows with a verdict."""
        return sum(section.count(verdict) for section in self.done)

    def _sections(self) -> Iterator[Section]:
        if self.config is None:
            yield examine_environment()
            return
        try:
            cfg = load_config(self.config, self.options.overrides, self.options.work_dir)
        except Exception as error:  # a config is a program, which can raise anything
            yield examine_environment()
            yield _failed('config', error)
            return
        yield examine_environment(dict(cfg.items()))
        yield from self._of(cfg)

    def _of(self, cfg: Config) -> Iterator[Section]:
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        checked = _guarded('config', lambda: all_findings(cfg))
        failed = checked if isinstance(checked, Section) else None
        findings, readable = ([], cfg) if failed else checked
        try:
            list(trainings(readable))
        except Exception as error:
            yield failed or _of_findings(findings)
            yield _failed('stages', error)
            return
        # Each mistake is reported once, in the section that it belongs to.
        networks = _guarded('network', lambda: network_findings(readable))
        of_networks = {} if isinstance(networks, Section) else _untold(networks, findings)
        places = _guarded('data', lambda: set(examined_places(readable)))
        of_data = set() if isinstance(places, Section) else places
        elsewhere = {one.key for found in of_networks.values() for one in found} | of_data
        yield failed or _of_findings([one for one in findings if one.key not in elsewhere])
        images, fast = self.options.images, self.options.fast
        data = _guarded('data', lambda: examine_datasets(readable, images, fast))
        sets = data if isinstance(data, DataSets) else DataSets(data)
        sets.section.rows += [row_of(one) for one in findings if one.key in of_data and one.key not in sets.broken]
        yield sets.section
        if isinstance(networks, Section):
            yield networks
        else:
            yield _guarded('network', lambda: examine_networks(readable, of_networks, fast))
        yield _guarded('schedule', lambda: examine_schedules(readable, sets.lengths))
        yield self._costs(cfg, sets)

    def _costs(self, cfg: Config, sets: DataSets) -> Section:
        reason = ''
        wrong = sum(section.count(ERROR) for section in self.done[1:])
        needed = [place for place in sets.broken if TEST not in place]
        if self.options.fast:
            reason = '--fast'
        elif needed:
            reason = 'data sets are missing: see data'
        elif wrong:
            reason = 'there are errors above: correct them first'
        if reason:
            section = Section(NAME)
            section.add('dry iteration', f'not tried ({reason})', SKIPPED)
            return section
        size, caches = label_size(sets.readings), cache_size(sets)
        return _guarded(NAME, lambda: examine_costs(cfg, sets.lengths, size, sets.pixels, caches))


def _untold(networks: dict[str, list[Finding]], findings: list[Finding]) -> dict[str, list[Finding]]:
    """Return the findings about networks, except consequences of a wrong key, which has its own finding."""
    own = {one.key for found in networks.values() for one in found}
    told = [one.key for one in findings if one.level == ERROR and one.key not in own]
    keys = {one.key for one in findings}
    return {
        name: [one for one in found if one.key in keys or not any(related(one.key, key) for key in told)]
        for name, found in networks.items()
    }


def _of_findings(findings: list[Finding]) -> Section:
    section = Section('config', [row_of(finding) for finding in findings])
    if not findings:
        section.add('keys and values', 'no mistake found')
    return section


def _failed(name: str, error: Exception) -> Section:
    section = Section(name)
    section.add(name, one_line(error), ERROR, 'correct it; tools/train.py CONFIG --traceback shows where it comes from')
    return section


def _guarded(name: str, look: Any) -> Any:
    """Return the result of a function, or a section with the error that it raises."""
    try:
        return look()
    except Exception as error:
        return _failed(name, error)
