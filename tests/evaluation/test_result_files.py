"""Names of the result files of `tools/test.py`."""

import json
import os

import pytest

from mmuda.evaluation.result_files import PLAIN, Kind, kind_of, newest_results


@pytest.mark.parametrize(
    'stem, wanted, title',
    [
        ('iter_60', PLAIN, ''),
        ('best_mIoU_iter_60', PLAIN, ''),
        ('mine', PLAIN, ''),
        ('iter_60_target_bn', Kind('', 'test', 'target'), ', target statistics'),
        ('target_bn', Kind('', 'test', 'target'), ', target statistics'),
        ('iter_60_on_source', Kind('', 'source', 'stored'), ''),
        ('iter_60_on_val_target_bn', Kind('', 'val', 'target'), ', target statistics'),
        ('iter_60_teacher', Kind('teacher', 'test', 'stored'), ', teacher'),
        ('iter_60_teacher_on_target', Kind('teacher', 'target', 'stored'), ', teacher'),
        ('ensemble', Kind('ensemble', 'test', 'stored'), ', ensemble'),
        ('ensemble_target_bn', Kind('ensemble', 'test', 'target'), ', ensemble, target statistics'),
        ('iter_60_tta', Kind('', 'test', 'stored', True), ', test-time augmentation'),
        (
            'iter_60_teacher_target_bn_tta',
            Kind('teacher', 'test', 'target', True),
            ', teacher, target statistics, test-time augmentation',
        ),
    ],
)
def test_a_name_says_what_was_tested(stem, wanted, title):
    assert kind_of(stem) == wanted and wanted.title == title


@pytest.mark.parametrize('tta', [False, True])
@pytest.mark.parametrize('statistics', ['stored', 'target'])
@pytest.mark.parametrize('images', ['test', 'val', 'source', 'target'])
@pytest.mark.parametrize('network', ['', 'teacher', 'ensemble', 'ensemble_teacher'])
def test_a_name_can_be_read_again(network, images, statistics, tta):
    kind = Kind(network, images, statistics, tta)
    assert kind_of(kind.stem('iter_60')) == kind
    assert kind.stem('iter_60').startswith('ensemble' if 'ensemble' in network else 'iter_60')


def test_the_newest_result_of_each_kind(tmp_path):
    names = ('iter_60_teacher', 'iter_60_target_bn', 'iter_60', 'iter_40', 'iter_60_on_source', 'other')
    for age, name in enumerate(reversed(names)):
        path = tmp_path / 'test' / f'{name}.json'
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({} if name == 'other' else dict(name=name, confusion_matrix=[])))
        os.utime(path, (age, age))
    found = newest_results(tmp_path)
    assert [result.path.stem for result in found.values()] == ['iter_60', 'iter_60_target_bn', 'iter_60_teacher']
    assert all(result.content['name'] == result.path.stem for result in found.values())
    assert newest_results(tmp_path / 'nowhere') == {}
