"""Class counts in the file formats of other code bases."""

import json

import layouts
import numpy as np
import pytest
from mmengine.dataset import ConcatDataset

from mmuda.datasets import GTA5Dataset, SYNTHIADataset, class_counts, read_class_counts
from mmuda.datasets.classes import SYNTHIA16

LOAD = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations')]
LISTED, BY_NAME, BY_CLASS = 'sample_class_stats.json', 'sample_class_stats_dict.json', 'samples_with_class.json'


@pytest.fixture
def source(tmp_path) -> GTA5Dataset:
    return GTA5Dataset(data_root=str(layouts.gta5(tmp_path / 'gta5', count=4)), pipeline=LOAD)


def forms(counts: np.ndarray, names: list[str]) -> dict:
    """Return the contents of the three files for the same table, by file name."""
    rows = [{str(c): int(row[c]) for c in np.flatnonzero(row)} for row in counts]
    classes = sorted({label for row in rows for label in row}, key=int)
    return {
        LISTED: [dict(row, file=name) for row, name in zip(rows, names, strict=True)],
        BY_NAME: dict(zip(names, rows, strict=True)),
        BY_CLASS: {c: [[name, row[c]] for row, name in zip(rows, names, strict=True) if c in row] for c in classes},
    }


def write(folder, counts: np.ndarray, names: list[str], *wanted: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in wanted:
        (folder / name).write_text(json.dumps(forms(counts, names)[name]))


def names_of(dataset, suffix: str = '_labelTrainIds') -> list[str]:
    paths = [dataset.get_data_info(i)['seg_map_path'] for i in range(len(dataset))]
    return [path.replace('.png', f'{suffix}.png') for path in paths]


@pytest.mark.parametrize('form', [LISTED, BY_NAME, BY_CLASS])
def test_each_file_holds_the_whole_table(source, tmp_path, form):
    counts = class_counts(source)
    write(tmp_path / 'stats', counts[::-1], names_of(source)[::-1], form)
    for path in (tmp_path / 'stats', tmp_path / 'stats' / form):
        assert np.array_equal(read_class_counts(path, source), counts)
    both = ConcatDataset([source, source])
    assert np.array_equal(read_class_counts(path, both), np.concatenate([counts, counts]))


def test_labels_that_are_not_in_the_data_set_are_counted(source, tmp_path, monkeypatch):
    """A file by class does not list labels without any class, so the sizes of the two tables do not tell the number."""
    said = []
    monkeypatch.setattr('mmuda.datasets.class_count_files.print_log', lambda text, **_: said.append(text))
    counts = class_counts(source)
    names = [*names_of(source)[1:], 'other_labelTrainIds.png', 'another_labelTrainIds.png']
    write(tmp_path / 'stats', counts[[1, 2, 3, 0, 0]], names, BY_CLASS)
    assert np.array_equal(read_class_counts(tmp_path / 'stats', source)[1:], counts[1:])
    assert len(said) == 1 and ' counts 2 labels that are not in the data set' in said[0]


def test_classes_that_are_one_class_here_are_added_up(source, tmp_path):
    counts = class_counts(source)
    write(tmp_path / 'stats', counts, names_of(source), LISTED)
    source.label_map = {1: 0}
    joined = counts.copy()
    joined[:, 0] += joined[:, 1]
    joined[:, 1] = 0
    assert counts[:, :2].all() and np.array_equal(read_class_counts(tmp_path / 'stats', source), joined)


def test_classes_of_a_subset(tmp_path):
    """Counts of the 19 Cityscapes classes are read for a data set with 16 of them."""
    root = layouts.synthia(tmp_path / 'synthia')
    whole = SYNTHIADataset(data_root=str(root), pipeline=LOAD)
    some = SYNTHIADataset(data_root=str(root), pipeline=LOAD, metainfo=dict(classes=SYNTHIA16))
    write(tmp_path / 'stats', class_counts(whole), names_of(whole), LISTED)
    assert np.array_equal(read_class_counts(tmp_path / 'stats', some), class_counts(some))
    assert class_counts(whole).shape[1] == 19 and class_counts(some).shape[1] == 16


def test_labels_that_are_not_in_the_data_set_are_left_out(source, tmp_path):
    counts = class_counts(source)
    write(tmp_path / 'stats', np.vstack([counts, counts[:1]]), [*names_of(source), 'more/99999.png'], LISTED)
    assert np.array_equal(read_class_counts(tmp_path / 'stats', source), counts)


def test_a_label_without_classes_is_in_no_list_of_a_class(source, tmp_path):
    counts = class_counts(source)
    counts[2] = 0
    write(tmp_path / 'stats', counts, names_of(source), BY_CLASS)
    assert np.array_equal(read_class_counts(tmp_path / 'stats', source), counts)


def test_other_files_are_refused(source, tmp_path):
    folder, counts, names = tmp_path / 'stats', class_counts(source), names_of(source)
    with pytest.raises(FileNotFoundError, match='stats does not exist: name a folder with sample_class_stats.json'):
        read_class_counts(folder, source)
    write(folder, counts[1:], names[1:], LISTED)
    with pytest.raises(ValueError, match='lacks 1 of 4 labels of GTA5Dataset, the first is 00001'):
        read_class_counts(folder, source)
    write(folder, counts, [f'other{n}.png' for n in range(4)], BY_CLASS)
    with pytest.raises(ValueError, match='lacks 4 of 4 labels'):
        read_class_counts(folder / BY_CLASS, source)
    write(folder, counts, ['a/00001.png', *names[1:3], 'b/00001_labelIds.png'], LISTED)
    with pytest.raises(ValueError, match='counts two labels named 00001'):
        read_class_counts(folder, source)
    write(folder, np.pad(counts, ((0, 0), (5, 0)), constant_values=1), names, LISTED)
    with pytest.raises(ValueError, match='counts class (19|2[0-9]) in 00001, but GTA5Dataset has the classes 0-18'):
        read_class_counts(folder, source)
    for text, told in (('{"a.png": 3}', 'is none of the files'), ('[1]', 'is none of'), ('{', 'is no JSON file')):
        (folder / LISTED).write_text(text)
        with pytest.raises(ValueError, match=told):
            read_class_counts(folder, source)
