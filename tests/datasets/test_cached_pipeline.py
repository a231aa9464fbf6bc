"""Pipelines that cache the results of their first steps return the same samples and read changed files again."""

import os
import zipfile
from pathlib import Path

import layouts
import numpy as np
import pytest
import torch
from layouts import encoded, image, npz, write
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.dataset import BaseDataset, Compose, ConcatDataset, pseudo_collate
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from PIL import Image
from toolbox import CONFIGS
from torch.utils.data import DataLoader

from mmuda.datasets import (
    DomainPairDataset,
    DomainPairSampler,
    DomainUnionDataset,
    GTA5Dataset,
    RawSegDataset,
    cached_pipeline,
)
from mmuda.datasets.cached_pipeline import CachedPipeline, fill, parts_of
from mmuda.datasets.sample_files import SampleFiles
from mmuda.datasets.transforms import loading

LABELLED = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations')]
RESIZE = dict(type='Resize', scale=(16, 9), keep_ratio=True)
RANDOM = [
    dict(type='RandomClassCrop', size=(6, 8), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
]
PACK = dict(type='PackDomainInputs')


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """Record the names of the files that our loaders read in this process."""
    names: list[str] = []
    original = loading.read_image_bytes
    monkeypatch.setattr(
        loading, 'read_image_bytes', lambda path, *args: names.append(Path(path).name) or original(path, *args)
    )
    return names


def pairs(root: Path, **kwargs) -> DomainPairDataset:
    """Return pairs of two concatenated sources and a target read by mmseg, with random augmentation in both domains."""
    if not (root / 'images').exists():
        layouts.gta5(root, 4)
        for number in range(3):
            write(root / 'target' / f'{number}.png', image(70 + number, 20, 40))
    source = dict(type='GTA5Dataset', data_root=str(root), pipeline=[*LABELLED, RESIZE, *RANDOM, PACK])
    target = dict(
        type='CityscapesDataset',
        data_prefix=dict(img_path=str(root / 'target')),
        img_suffix='.png',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadTrustedPixels', border=dict(top=3)),
            dict(type='Resize', scale=(30, 15), backend='pillow', interpolation='bicubic'),
            dict(RANDOM[0], cat_max_ratio=1.0),
            *RANDOM[1:],
            PACK,
        ],
    )
    sources = dict(type='ConcatDataset', datasets=[source, source])
    return DATASETS.build(dict(type='DomainPairDataset', source=sources, target=target, **kwargs))


def load(dataset: DomainPairDataset, workers: int) -> list[tuple]:
    """Return the content of 12 pairs as tuples: domain, image, label or trusted pixels, meta information."""
    policy = dict(type='RareClassOrder', min_pixels=2)
    sampler = DomainPairSampler(dataset, seed=3, source_policy=policy)
    loader = DataLoader(dataset, batch_size=2, sampler=sampler, num_workers=workers, collate_fn=pseudo_collate)
    return [
        (
            side,
            inputs.clone(),
            *(sample.get(name).data.clone() for name in ('gt_sem_seg', 'trusted') if name in sample),
            sample.metainfo,
        )
        for batch, _ in zip(iter(loader), range(6), strict=False)
        for side, part in batch.items()
        for inputs, sample in zip(part['inputs'], part['data_samples'], strict=True)
    ]


def same(found: list[tuple], wanted: list[tuple]) -> bool:
    return len(found) == len(wanted) > 0 and all(
        len(one) == len(other) == 4
        and all(torch.equal(a, b) if torch.is_tensor(a) else a == b for a, b in zip(one, other, strict=True))
        for one, other in zip(found, wanted, strict=True)
    )


def test_pairs_are_the_same_bit_for_bit(tmp_path, cache_dir, read):
    plain = load(pairs(tmp_path), 0)
    assert same(plain, plain) and not same(plain[:12], plain[12:])
    assert not (cache_dir / 'samples').exists(), 'without cache_bytes, nothing must be cached'
    cached = pairs(tmp_path, cache_bytes=1e9)
    assert same(load(cached, 2), plain), 'samples must be the same while two workers fill the cache'
    assert len(list((cache_dir / 'samples').iterdir())) == 4 + 3, 'the two equal sources must share their samples'
    read.clear()
    assert same(load(cached, 0), plain) and same(load(pairs(tmp_path, cache_bytes=1e9), 0), plain)
    assert read == [], 'no file must be decoded again'
    assert same(load(cached, 2), plain)


CONFIGS_OF_PAIRS = sorted({*(CONFIGS / '_base_/datasets').glob('*.py')} - {CONFIGS / '_base_/datasets/dark_zurich.py'})


KEPT = (
    'LoadDomainImage',
    'LoadDomainAnnotations',
    'LoadPseudoLabel',
    'LoadTrustedPixels',
    'LoadImageFromFile',
    'Resize',
)


@pytest.mark.parametrize('path', CONFIGS_OF_PAIRS, ids=[path.stem for path in CONFIGS_OF_PAIRS])
def test_everything_up_to_the_first_random_step_is_kept(path):
    dataset = Config.fromfile(path).train_dataloader.dataset
    for side in [side for name in ('source', 'target') for side in dataset[name].get('datasets', [dataset[name]])]:
        if side['pipeline'][0].type == 'LoadDomainWindow':
            with pytest.raises(ValueError, match='begins with LoadDomainWindow, whose result can be random'):
                CachedPipeline(Compose(side['pipeline']), SampleFiles(1e9))
            continue
        pipeline = CachedPipeline(Compose(side['pipeline']), SampleFiles(1e9))
        fixed = [step.type in KEPT for step in side['pipeline']]
        assert len(pipeline.kept.transforms) == fixed.index(False) >= 1
        assert [*pipeline.kept.transforms, *pipeline.rest.transforms] == pipeline.transforms


def gta5(root: Path, *steps, **kwargs) -> GTA5Dataset:
    return GTA5Dataset(data_root=str(root), pipeline=[*LABELLED, *steps], cache_bytes=1e9, **kwargs)


def test_a_reader_alone_and_what_leaves_its_pipeline(tmp_path, read):
    layouts.gta5(tmp_path, 2)
    plain = GTA5Dataset(data_root=str(tmp_path), pipeline=[*LABELLED, RESIZE])
    for dataset in (gta5(tmp_path, RESIZE), gta5(tmp_path, RESIZE)):
        for n in range(2):
            found, wanted = dataset[n], plain[n]
            assert found.keys() == wanted.keys()
            for name, value in wanted.items():
                np.testing.assert_equal(found[name], value, name)
        assert isinstance(found['scale_factor'], tuple) and found['seg_fields'] == ['gt_seg_map']
        found['img'][:] = 0
    read.clear()
    assert dataset[1]['img'].any() and read == []


@pytest.mark.parametrize('folder', ['images', 'labels'])
def test_a_file_that_changes_is_read_again(tmp_path, read, folder):
    """A changed file is read again, for example a pseudo label of the next round."""
    layouts.gta5(tmp_path, 2)
    before = [gta5(tmp_path)[n] for n in range(2)]
    path = tmp_path / folder / '00001.png'
    pixels, status = np.asarray(Image.open(path))[::-1], path.stat()
    (write if folder == 'images' else layouts.write_palette)(path, pixels)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    read.clear()
    after = [gta5(tmp_path)[n] for n in range(2)]
    name = dict(images='img', labels='gt_seg_map')[folder]
    np.testing.assert_array_equal(after[0][name], before[0][name][::-1])
    np.testing.assert_array_equal(after[1][name], before[1][name])
    assert read == ['00001.png'] * 2, 'only the changed image and its label must be read'


@pytest.mark.parametrize('change', ['scale', 'interpolation', 'table', 'classes', 'version', 'path'])
def test_what_a_sample_depends_on(tmp_path, read, monkeypatch, change):
    layouts.gta5(tmp_path, 1)
    gta5(tmp_path, RESIZE)[0]
    read.clear()
    step, kwargs, root = dict(RESIZE), {}, tmp_path
    if change == 'scale':
        step['scale'] = (16, 8)
    elif change == 'interpolation':
        step['interpolation'] = 'nearest'
    elif change == 'table':
        kwargs['label_table'] = {raw: 0 for raw in range(35)}
    elif change == 'classes':
        kwargs['metainfo'] = dict(classes=('road', 'car'))
    elif change == 'version':
        monkeypatch.setattr(cached_pipeline, 'VERSIONS', ('another',))
    else:
        root = tmp_path / 'moved'
        layouts.gta5(root, 1)
    found = gta5(root, step, **kwargs)[0]
    assert read == ['00001.png'] * 2
    plain = GTA5Dataset(data_root=str(root), pipeline=[*LABELLED, step], **kwargs)[0]
    np.testing.assert_array_equal(found['img'], plain['img'])
    np.testing.assert_array_equal(found['gt_seg_map'], plain['gt_seg_map'])


def test_files_of_every_kind(tmp_path, read):
    """Caching works for archives, 16-bit images, EXIF orientation, many bands, and files with several arrays."""
    folder, random = tmp_path / 'images', np.random.default_rng(0)
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image()).save(folder / 'turned.jpg', exif=exif)
    (folder / 'wide.png').write_bytes(encoded(random.integers(0, 65536, (6, 8, 3), np.uint16), '.png'))
    (folder / 'grey.tif').write_bytes(encoded(random.integers(0, 65536, (6, 8), np.uint16), '.tif'))
    (folder / 'scan.npz').write_bytes(npz(a=random.normal(size=(6, 8)), b=random.normal(size=(6, 8))))
    with zipfile.ZipFile(tmp_path / 'images.zip', 'w') as archive:
        archive.write(folder / 'wide.png', 'images/wide.png')
    names = [str(folder / name) for name in ('turned.jpg', 'wide.png', 'grey.tif', 'scan.npz/a', 'scan.npz/b')]
    (tmp_path / 'list.txt').write_text('\n'.join([*names, f'zip://{tmp_path}/images/wide.png']))
    lists = dict(
        type='SegmentationListDataset',
        ann_file=str(tmp_path / 'list.txt'),
        label_classes=('a', 'b'),
        pipeline=LABELLED[:1],
    )
    plain = DATASETS.build(lists)
    for _ in range(2):
        cached = DATASETS.build(dict(lists, cache_bytes=1e9))
        for n in range(6):
            np.testing.assert_array_equal(cached[n]['img'], plain[n]['img'], strict=True)
    assert len(read) == 6 * 3, 'the second data set must not decode any file'


def test_samples_that_are_no_local_files_pass(cache_dir):
    pipeline = CachedPipeline(Compose([dict(type='Resize', scale=(4, 4))]), SampleFiles(1e9))
    for sample in (dict(img_path='s3://bucket/1.png'), dict(img_path=__file__), {}):
        assert pipeline(dict(img=image(), **sample))['img'].shape == (4, 4, 3)
    assert not (cache_dir / 'samples').exists()


class Times(BaseTransform):
    """A deterministic step of a plug-in."""

    deterministic = True

    def __init__(self, factor: int = 2) -> None:
        self.factor = factor

    def transform(self, results: dict) -> dict:
        results['img'] = results['img'] * np.uint8(self.factor)
        return results


class Noisy(Times):
    """A subclass that does not declare itself deterministic. The declaration of its base class does not count."""


def test_steps_of_plug_ins(tmp_path):
    layouts.gta5(tmp_path, 1)
    for step, kept in ((Times(), 3), (Times(3), 3), (Noisy(), 2), (lambda results: results, 2)):
        dataset = gta5(tmp_path, step)
        assert len(dataset.pipeline.kept.transforms) == kept
        plain = GTA5Dataset(data_root=str(tmp_path), pipeline=[*LABELLED, step])[0]['img']
        for _ in range(2):
            np.testing.assert_array_equal(dataset[0]['img'], plain)
    with pytest.raises(ValueError, match='a pipeline begins with Noisy, .*write deterministic = True into its class'):
        RawSegDataset(data_root=str(tmp_path), pipeline=[Noisy()], cache_bytes=1e9)
    with pytest.raises(ValueError, match='begins with no step'):
        RawSegDataset(data_root=str(tmp_path), cache_bytes=1e9)


def test_a_data_set_without_a_pipeline(tmp_path):
    images = write(tmp_path / 'images' / '1.png', image()).parent
    target = BaseSegDataset(data_prefix=dict(img_path=str(images)), img_suffix='.png', metainfo=dict(classes=('a',)))
    del target.pipeline
    with pytest.raises(TypeError, match='cache_bytes: BaseSegDataset has no pipeline'):
        DomainUnionDataset(None, target, cache_bytes=1e9)


def test_parts(tmp_path):
    dataset = pairs(tmp_path)
    parts = list(parts_of(dataset))
    assert [type(part).__name__ for part in parts] == ['GTA5Dataset', 'GTA5Dataset', 'CityscapesDataset']
    assert list(parts_of(ConcatDataset(parts[:2]))) == parts[:2] and list(parts_of(parts[0])) == parts[:1]
    assert all(isinstance(part, BaseDataset) for part in parts)


def test_filling(tmp_path, read, capsys):
    layouts.gta5(tmp_path, 5)
    dataset = gta5(tmp_path, RESIZE)
    fill(dataset, threads=2)
    assert len(read) == 10 and '5/5' in capsys.readouterr().err
    fill(gta5(tmp_path, RESIZE), threads=2)
    dataset[2]
    assert len(read) == 10
    small = GTA5Dataset(data_root=str(tmp_path), pipeline=LABELLED, cache_bytes=100)
    with pytest.raises(OSError, match='is full .cache_bytes=100;'):
        fill(small, threads=2)
    broken = gta5(tmp_path)
    (tmp_path / 'images/00003.png').write_bytes(b'nothing')
    with pytest.raises(OSError, match='00003.png cannot be decoded'):
        fill(broken, threads=2)
