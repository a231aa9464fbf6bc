"""Readers of data sets with published splits, on small copies of their layouts (see layouts.py)."""

import shutil

import layouts
import numpy as np
import pytest
from mmseg.registry import DATASETS

from mmuda.datasets.label_tables import get_label_table
from mmuda.datasets.readers.acdc import CONDITIONS

LOAD = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations')]
TRAIN_IDS = (*range(19), 255)

KINDS = {
    'acdc': (dict(type='ACDCDataset', split='val', conditions='rain'), TRAIN_IDS),
    'raw_dark_zurich': (dict(type='RawDarkZurichDataset', split='val'), TRAIN_IDS),
    'mapillary_v1.2': (dict(type='MapillaryVistasDataset', split='validation'), range(66)),
    'mapillary_v2.0': (dict(type='MapillaryVistasDataset', split='validation', version='v2.0'), range(124)),
    'idd': (dict(type='IDDDataset', split='val'), (*range(26), 255)),
    'idd_lite': (dict(type='IDDLiteDataset', split='val'), (*range(7), 255)),
    'urbansyn': (dict(type='UrbanSynDataset'), range(20)),
    'loveda': (dict(type='RawLoveDADataset', area='Urban', split='val'), (*range(8), 9)),
    'potsdam': (dict(type='RawPotsdamDataset', split='val'), range(7)),
    'vaihingen': (dict(type='RawVaihingenDataset', split='val'), range(7)),
    # mmseg's own readers work too, with a label table in the step that loads labels.
    'bdd100k': (
        dict(
            type='BDD100KDataset', data_prefix=dict(img_path='images/10k/val', seg_map_path='labels/sem_seg/masks/val')
        ),
        TRAIN_IDS,
    ),
    'dark_zurich': (
        dict(type='DarkZurichDataset', data_prefix=dict(img_path='rgb_anon/val/night', seg_map_path='gt/val/night')),
        TRAIN_IDS,
    ),
    'night_driving': (
        dict(
            type='NightDrivingDataset',
            data_prefix=dict(
                img_path='leftImg8bit/test/night', seg_map_path='gtCoarse_daytime_trainvaltest/test/night'
            ),
        ),
        TRAIN_IDS,
    ),
}
"""The config of each data set, and the ids in its label files."""

TRAIN_ID = {
    'mapillary_v1.2': {17: 2, 44: 255, 45: 5, 24: 0, 23: 255, 20: 12, 58: 16},
    'mapillary_v2.0': {27: 2, 84: 255, 85: 5, 35: 0, 45: 255, 99: 7, 98: 255, 91: 6},
    'idd': {0: 0, 1: 255, 2: 1, 4: 11, 5: 12, 6: 17, 7: 18, 9: 13, 11: 15, 12: 255, 20: 5, 22: 2, 25: 10},
    'idd_lite': {0: 0, 6: 6},
    'urbansyn': {0: 0, 18: 18, 19: 255},
    'loveda': {0: 255, 1: 0, 7: 6, 9: 255},
    'potsdam': {0: 255, 1: 0, 6: 5},
    'vaihingen': {0: 255, 1: 0, 6: 5},
}
"""The train ids of some ids, as the authors of the data sets define them."""


@pytest.mark.parametrize('kind', KINDS)
def test_read_as_published(tmp_path, kind):
    settings, known = KINDS[kind]
    layouts.PUBLISHED[kind](tmp_path)
    steps = (
        LOAD if kind in TRAIN_ID or kind in ('acdc', 'raw_dark_zurich') else [LOAD[0], dict(LOAD[1], table='train_ids')]
    )
    dataset = DATASETS.build(dict(settings, data_root=str(tmp_path), pipeline=steps))
    assert len(dataset) == 2
    raw, sample = layouts.ids(known, 1), dataset[1]
    expected = raw
    if kind in TRAIN_ID:
        expected = raw.copy()
        for one in np.unique(raw):
            expected[raw == one] = dict(dataset.label_table.pairs)[one]
        table = dict(dataset.label_table.pairs)
        assert {one: table[one] for one in TRAIN_ID[kind]} == TRAIN_ID[kind]
    np.testing.assert_array_equal(sample['gt_seg_map'], expected)
    assert set(np.unique(expected)) - {255} <= set(range(len(dataset.metainfo['classes'])))
    if sample['img_path'].endswith('.png'):
        np.testing.assert_array_equal(sample['img'][..., ::-1], layouts.image(1))


@pytest.mark.parametrize('kind', TRAIN_ID)
def test_a_target_has_no_labels(tmp_path, kind):
    layouts.PUBLISHED[kind](tmp_path)
    dataset = DATASETS.build(dict(KINDS[kind][0], data_root=str(tmp_path), use_labels=False, pipeline=LOAD[:1]))
    assert len(dataset) == 2 and 'seg_map_path' not in dataset.get_data_info(0)


def names(root, **settings) -> list[str]:
    dataset = DATASETS.build(dict(type='ACDCDataset', data_root=str(root), **settings))
    return [dataset.get_data_info(n)['img_path'].removeprefix(f'{root}/rgb_anon/') for n in range(len(dataset))]


def test_conditions_and_references_of_acdc(tmp_path):
    for condition in CONDITIONS:
        layouts.acdc(tmp_path, condition, 'train')
    layouts.acdc(tmp_path, 'rain', 'val')
    assert [name.split('/')[0] for name in names(tmp_path)] == sorted(CONDITIONS * 2)
    assert {name.split('/')[1] for name in names(tmp_path)} == {'train'}
    night = names(tmp_path, conditions=['night'])
    assert [name.split('/')[:2] for name in night] == [['night', 'train']] * 2
    (tmp_path / 'rgb_anon/night/train/note.txt').write_text('')
    left_out = DATASETS.build(dict(type='ACDCDataset', data_root=str(tmp_path), conditions=['night'])).left_out
    assert left_out == {'*.txt': 1}, 'references and other splits must not count as left out'
    reference = names(tmp_path, conditions=['night'], reference=True)
    assert [name.replace('/train_ref/', '/train/').replace('_rgb_ref_', '_rgb_') for name in reference] == night
    pairs = DATASETS.build(dict(type='ACDCDataset', data_root=str(tmp_path), reference=True))
    assert 'seg_map_path' not in pairs.get_data_info(0)
    with pytest.raises(FileNotFoundError, match='found no image named .*_rgb_anon.png in .*rgb_anon/fog/val/'):
        names(tmp_path, split='val')
    with pytest.raises(ValueError, match="conditions='sun', expected one of 'fog', 'night', 'rain', 'snow'"):
        names(tmp_path, conditions=['sun'])
    (tmp_path / 'list.txt').write_text('night/train/GOPR0351/GOPR0351_frame_000001')
    assert names(tmp_path, ann_file='list.txt') == night[1:]


def test_both_kinds_of_images_of_idd(tmp_path):
    layouts.PUBLISHED['idd'](tmp_path)
    folder = tmp_path / 'leftImg8bit/val/1'
    (folder / '000001_leftImg8bit.png').unlink()
    layouts.write(folder / '000001_leftImg8bit.jpg', layouts.image(1))
    dataset = DATASETS.build(dict(type='IDDDataset', split='val', data_root=str(tmp_path), pipeline=LOAD))
    ends = [dataset[n]['img_path'][-4:] for n in range(2)]
    assert ends == ['.png', '.jpg'] and not dataset.left_out


def test_idd_lite_is_not_read_as_idd(tmp_path):
    layouts.PUBLISHED['idd_lite'](tmp_path)
    with pytest.raises(FileNotFoundError, match='IDD-Lite has seven other classes: IDDLiteDataset'):
        DATASETS.build(dict(type='IDDDataset', split='val', data_root=str(tmp_path)))
    classes = DATASETS.build(dict(KINDS['idd_lite'][0], data_root=str(tmp_path))).metainfo['classes']
    assert len(classes) == get_label_table('idd_lite').num_classes == 7


COLOURS = ((0, 0, 0), (255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0))
"""RGB colours of ISPRS: borders, which are ignored, and the six classes."""


def isprs_download(root, images, labels, tiles):
    """Write tiles in the layout of the download; return the train ids of their labels."""
    expected = {}
    for number, tile in enumerate(tiles):
        raw = layouts.ids(range(7), number)
        layouts.write(root / images.format(tile), layouts.image(number))
        layouts.write(root / labels.format(tile), np.array(COLOURS)[raw])
        expected[tile] = np.where(raw == 0, 255, raw - 1)
    return expected


POTSDAM = dict(type='RawPotsdamDataset', split='val', bands='IRRG', pipeline=LOAD)
VAIHINGEN = dict(type='RawVaihingenDataset', split='val', pipeline=LOAD)
POTSDAM_IMAGES, VAIHINGEN_IMAGES = '3_Ortho_IRRG/top_potsdam_{}_IRRG.tif', 'top/top_mosaic_09cm_{}.tif'


@pytest.mark.parametrize(
    'settings, images, labels',
    [
        (POTSDAM, POTSDAM_IMAGES, '5_Labels_all_noBoundary/top_potsdam_{}_label_noBoundary.tif'),
        (dict(POTSDAM, eroded=False), POTSDAM_IMAGES, 'top_potsdam_{}_label.tif'),
        (VAIHINGEN, VAIHINGEN_IMAGES, 'top_mosaic_09cm_{}_noBoundary.tif'),
        (dict(VAIHINGEN, eroded=False), f'images/{VAIHINGEN_IMAGES}', 'gts_for_participants/top_mosaic_09cm_{}.tif'),
    ],
)
@pytest.mark.parametrize('zipped', [False, True])
def test_isprs_as_downloaded(tmp_path, settings, images, labels, zipped):
    tiles = DATASETS.get(settings['type']).TILES
    assert not set(tiles['train']) & set(tiles['val'])
    root = tmp_path / 'data'
    expected = isprs_download(root, images, labels, [tiles['train'][0], *tiles['val']])
    if zipped:
        shutil.make_archive(str(tmp_path / 'zips/all'), 'zip', root)
    place = f'zip://{tmp_path}/zips' if zipped else str(root)
    dataset = DATASETS.build(dict(settings, data_root=place))
    assert len(dataset) == len(tiles['val'])
    for index in (0, len(dataset) - 1):
        sample = dataset[index]
        assert sample['img_path'] == f'{place}/{images.format(tiles["val"][index])}'
        np.testing.assert_array_equal(sample['gt_seg_map'], expected[tiles['val'][index]])
    np.testing.assert_array_equal(dataset[0]['img'][..., ::-1], layouts.image(1))
    target = DATASETS.build(dict(settings, data_root=place, use_labels=False, pipeline=LOAD[:1]))
    assert len(target) == len(dataset) and 'seg_map_path' not in target.get_data_info(0)


def test_what_isprs_downloads_lack(tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist.*as downloaded, in any folder; or img_dir/train'):
        DATASETS.build(dict(POTSDAM, data_root=str(tmp_path / 'nothing')))
    tiles = DATASETS.get('RawPotsdamDataset').TILES['val']
    isprs_download(tmp_path, POTSDAM_IMAGES, '5_Labels_all/top_potsdam_{}_label.tif', tiles)
    with pytest.raises(FileNotFoundError, match='no label such as .*_noBoundary.tif is below .*eroded=False'):
        DATASETS.build(dict(POTSDAM, data_root=str(tmp_path)))
    with pytest.raises(FileNotFoundError, match='14 of 14 images are missing below .*: top_potsdam_2_13_RGB.tif, '):
        DATASETS.build(dict(POTSDAM, data_root=str(tmp_path), bands='RGB'))
    (tmp_path / f'5_Labels_all/top_potsdam_{tiles[0]}_label.tif').unlink()
    with pytest.raises(ValueError, match='1 of 14 image-label pairs cannot be used .*file missing: 1'):
        DATASETS.build(dict(POTSDAM, data_root=str(tmp_path), eroded=False))


@pytest.mark.parametrize(
    'settings, told',
    [
        (dict(type='RawLoveDADataset', area='rural'), "area='rural', expected one of 'Rural', 'Urban'"),
        (dict(type='RawVaihingenDataset', split='test'), "RawVaihingenDataset: split='test', expected one of 'train'"),
        (dict(type='RawPotsdamDataset', bands='GRB'), "bands='GRB', expected one of 'RGB', 'IRRG', 'RGBIR'"),
        (dict(type='MapillaryVistasDataset', version='v1'), "version='v1', expected one of 'v1.2', 'v2.0'"),
    ],
)
def test_errors(settings, told):
    with pytest.raises(ValueError, match=told):
        DATASETS.build(settings)
