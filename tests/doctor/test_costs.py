"""The estimated cost of a run, from dry runs."""

import os
import shutil
from types import SimpleNamespace

import pytest
from toolbox import tiny_config

from mmuda.datasets.cache import CACHE_DIR_VARIABLE
from mmuda.doctor.costs import examine_costs
from mmuda.doctor.dry_run import Measured
from mmuda.doctor.dry_stages import Tried
from mmuda.doctor.memory import RESIDENT
from mmuda.doctor.rows import ERROR, OK, SKIPPED, WARNING

LENGTHS = {'val_dataloader.dataset': 50, "stage 'inter': val_dataloader.dataset": 50}
MEASURED = Measured(2.0, 1.0, 0.5, 3 * 2**30, RESIDENT, 2**20, 2)


@pytest.fixture
def costs(minicity, tmp_path, monkeypatch):
    """Return a function that estimates the costs of a tiny config from given results of dry runs."""

    def costs(tried, method='advent', label_bytes=None, pixels=0, **options):
        cfg = tiny_config(method, minicity, tmp_path / 'work', iters=1000, val=500, save=500, **options)
        tried = [Tried(**{**one, 'config': cfg if 'measured' in one else None}) for one in tried]
        monkeypatch.setattr('mmuda.doctor.costs._tried', lambda cfg, folder: iter(tried))
        section = examine_costs(cfg, LENGTHS, label_bytes, pixels)
        return section, {row.item: row for row in section.rows}

    return costs


def training(name='', **changes):
    return dict(name=name, measured=MEASURED, **changes)


@pytest.mark.parametrize(('workers', 'each'), [(0, 3.0), (4, 2.0)])
def test_hours_memory_and_disk(costs, workers, each):
    section, found = costs([training()], **{'train_dataloader.num_workers': workers})
    seconds = 1000 * each + 2 * 50 * 0.5
    assert section.facts['hours'] == pytest.approx(seconds / 3600)
    assert found['time'].found == f'about {seconds / 60:.0f} min: 1,000 iterations, 2 validations'
    assert found['peak memory'].found == f'3.0 GiB ({RESIDENT})'
    assert section.facts['disk'] == 2 * 2**20 and found['disk'].verdict == OK


def test_reading_that_is_slower_than_the_network_is_a_warning(costs):
    slow = Measured(0.1, 1.0, None, 1, RESIDENT, 1, 2)
    _, found = costs([dict(training(), measured=slow)], **{'train_dataloader.num_workers': 2})
    assert found['reading'].verdict == WARNING and 'num_workers' in found['reading'].remedy


def test_a_full_disk_is_an_error(costs, monkeypatch):
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=10, total=10))
    assert costs([training()])[1]['disk'].verdict == ERROR


def test_stages_and_labels(costs):
    tried = [
        training('inter'),
        dict(name='label', seconds=0.5, images=400, labels=True, chosen=True),
        training('rounds/1/train', like='inter'),
        dict(name='other', reason='it may take long'),
    ]
    section, found = costs(tried, 'intrada', label_bytes=0.25, pixels=1000)
    assert found['label: time'].found == 'at most 3 min: 400 images of 0.50 s'
    assert found['label: labels'].found.startswith('at most 97.7 KiB')
    assert found['rounds/1/train: time'].found.endswith('as measured for inter')
    assert found['whole run'].found.startswith('at least ') and found['whole run'].found.endswith('not counted: other')
    assert found['other: dry run'].verdict == SKIPPED and 'may take long' in found['other: dry run'].found
    both = 2 * (3000 + 50) + 200
    assert section.facts['hours'] == pytest.approx(both / 3600)
    assert section.facts['disk'] == pytest.approx(4 * 2**20 + 0.25 * 1000 * 400)


def test_a_training_that_fails_is_an_error(minicity, tmp_path, monkeypatch):
    cfg = tiny_config('advent', minicity, tmp_path / 'work', **{'model.discriminator.in_channels': 7})
    cfg.train_dataloader.dataset.cache_bytes = 2**20
    cache = tmp_path / 'cache'
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(cache))
    section = examine_costs(cfg, {}, caches=2**20)
    assert os.environ[CACHE_DIR_VARIABLE] == str(cache) and not cache.exists(), (
        'the dry run must not write to the cache of the user'
    )
    found = {row.item: row for row in section.rows}
    assert found['dry run'].verdict == ERROR and 'channels' in found['dry run'].found
    assert found['caches'].found.startswith('at most 2.0 MiB')
    assert 'whole run' not in found and not (tmp_path / 'work').exists()


def test_a_stage_that_fails_with_the_results_of_dry_ones_is_a_warning(costs):
    section, found = costs([dict(name='rank', reason='too few images', verdict=WARNING)])
    row = found['rank: dry run']
    assert row.verdict == WARNING and row.found == 'failed with the results of the dry stages: too few images'
    assert row.remedy and section.count(ERROR) == 0
