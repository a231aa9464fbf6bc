"""The manifest of a labelling, in every version of the format."""

import json
import os

import pytest
from labellings import Network, change_manifest, label

from mmuda.labeling import Manifest


def test_names_keep_what_tells_images_apart(tmp_path):
    manifest = label(tmp_path)
    assert manifest.labels == [os.path.join('labels', town, f'{i}.png') for town in ('x', 'y') for i in range(3)]
    with pytest.raises(ValueError, match='/a/1.jpg and /a/1.png would have the same label file'):
        label(tmp_path / 'other', images=['/a/1.jpg', '/a/1.png'])
    with pytest.raises(ValueError, match='there are no images'):
        label(tmp_path / 'other', images=[])


def test_labellings_of_earlier_versions_are_read(tmp_path):
    first = label(tmp_path, facts=dict(weights='abc'))
    change_manifest(tmp_path, 'status', 'prior', format=1)
    assert Manifest.read(tmp_path) == first
    network = Network()
    assert label(tmp_path, network=network, facts=dict(weights='abc')) == first and not network.asked
    with pytest.raises(RuntimeError, match='facts.weights: was "abc", is "other"'):
        label(tmp_path, facts=dict(weights='other'))


@pytest.mark.parametrize(
    'damage, error, message',
    [
        (
            lambda folder: (folder / 'manifest.json').unlink(),
            FileNotFoundError,
            'holds labels, but no manifest.json.*run it again',
        ),
        (lambda folder: (folder / 'manifest.json').write_text('{"for'), ValueError, 'manifest.json cannot be used'),
        (
            lambda folder: (folder / 'manifest.json').write_text('{"format": 0}'),
            ValueError,
            'format 0, expected one of',
        ),
        (lambda folder: (folder / 'manifest.json').write_text('{"format": 1}'), ValueError, 'cannot be used'),
        (
            lambda folder: (folder / 'labels/x/1.png').unlink(),
            FileNotFoundError,
            '1 of 6 label files .* the first is labels/x/1.png',
        ),
    ],
)
def test_a_damaged_labelling_is_one_clear_error(tmp_path, damage, error, message):
    label(tmp_path)
    damage(tmp_path)
    with pytest.raises(error, match=message):
        Manifest.read(tmp_path)


def test_a_folder_without_labels(tmp_path):
    with pytest.raises(FileNotFoundError, match='is no folder of pseudo labels'):
        Manifest.read(tmp_path)


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    manifest = label(tmp_path, facts=dict(weights='abc', config='def'))
    assert Manifest.read(tmp_path) == manifest
    content = json.loads((tmp_path / 'manifest.json').read_text())
    assert content['facts'] == dict(weights='abc', config='def') and content['strategy']['type'] == 'ClassBalanced'
    assert content['thresholds'] == manifest.thresholds
