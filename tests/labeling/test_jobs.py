"""A folder is used by one job, which continues after an interruption."""

import hashlib
import json
import os

import numpy as np
import pytest
from labellings import CLASSES, IMAGES, SIZE, Network, change_manifest, label

from mmuda.labeling import ClassBalanced


def test_nothing_is_made_twice(tmp_path):
    first = label(tmp_path)
    times = {path: os.stat(path).st_mtime_ns for path in first.label_paths}
    network = Network()
    assert label(tmp_path, network=network) == first and network.asked == []
    # Lost files are written again, whether the labelling was complete or not.
    for status in ('running', 'done'):
        change_manifest(tmp_path, status=status)
        for path in first.label_paths[2:4]:
            os.unlink(path)
        network = Network()
        assert label(tmp_path, network=network) == first and network.asked == [2, 3]
        kept = [path for path in first.label_paths if path not in first.label_paths[2:4]]
        assert all(os.stat(path).st_mtime_ns == times[path] for path in kept)


def test_an_interrupted_labelling_of_an_earlier_version_goes_on(tmp_path):
    first = label(tmp_path)
    names = 'x/0 x/1 x/2 y/0 y/1 y/2'.split()
    listed = hashlib.sha256('\n'.join(os.path.join('labels', f'{name}.png') for name in names).encode()).hexdigest()
    strategy = ClassBalanced(0.4, rate=1, exact=True).describe()
    plan = dict(strategy=strategy, classes=list(CLASSES), facts={}, prior=None, images=6, list=listed)
    (tmp_path / 'plan.json').write_text(json.dumps(plan))
    (tmp_path / 'thresholds.json').write_text(json.dumps(dict(thresholds=first.thresholds, sizes=first.sizes)))
    (tmp_path / 'manifest.json').unlink()
    os.unlink(first.label_paths[5])
    with pytest.raises(RuntimeError, match='strategy.portion: was 0.4, is 0.5'):
        label(tmp_path, ClassBalanced(0.5, rate=1, exact=True))
    network = Network()
    assert label(tmp_path, network=network) == first and network.asked == [5]
    assert sorted(path.name for path in tmp_path.iterdir()) == ['labels', 'manifest.json']


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(strategy=ClassBalanced(0.5, rate=1, exact=True)), 'strategy.portion: was 0.4, is 0.5'),
        (dict(facts=dict(weights='other')), 'facts.weights: was null, is "other"'),
        (dict(images=IMAGES[:5]), 'labels: was'),
        (dict(classes=('a', 'b', 'c', 'e')), 'classes.3: was'),
        (dict(prior=np.ones((4, *SIZE), np.float32)), 'prior: was null'),
    ],
)
def test_a_folder_belongs_to_what_it_was_begun_for(tmp_path, changes, message):
    label(tmp_path)
    with pytest.raises(RuntimeError, match=f'(?s)was started with other settings:.*{message}.*--restart-from STAGE'):
        label(tmp_path, **changes)


def test_foreign_labels_are_not_taken_for_ours(tmp_path):
    (tmp_path / 'labels').mkdir()
    with pytest.raises(RuntimeError, match='holds labels, but no manifest.json'):
        label(tmp_path)
