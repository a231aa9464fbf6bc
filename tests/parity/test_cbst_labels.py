"""Pseudo labels of the original CBST: thresholds, sizes, label maps and mined classes, bit for bit."""

import numpy as np
import pytest
import torch
from golden import golden_files, load

from mmuda.labeling import ClassBalanced, Global, mining_classes, most_likely

# Label ids of the train ids. SYNTHIA's 16 classes lack three of them; toy files use the first few.
CITYSCAPES = np.array([7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33])
LABEL_IDS = {16: np.setdiff1d(CITYSCAPES, [22, 27, 31])}


def label_ids(labels, num_classes: int) -> np.ndarray:
    """Map train ids to the label ids of the authors' files, where 0 is ignored."""
    table = np.zeros(256, np.uint8)
    table[:num_classes] = LABEL_IDS.get(num_classes, CITYSCAPES)[:num_classes]
    return table[np.asarray(labels)]


def check_policy(data: dict, maps: torch.Tensor, key, policy: type) -> None:
    """Compare all portions of one policy; `key` maps the name of an array to its name in the file."""
    num_classes = maps.shape[1]
    for number, portion in enumerate(data[key('ports') if key('ports') in data else 'ports']):
        strategy = policy(float(portion), exact=True)
        statistics = strategy.new_statistics(num_classes)
        for scores in maps:
            statistics.add(*most_likely(scores))
        thresholds = strategy.thresholds(statistics)
        np.testing.assert_array_equal(strategy.raw_thresholds(statistics), data[key('cls_thresh_raw')][number])
        np.testing.assert_array_equal(thresholds, data[key('cls_thresh')][number])
        sizes = data[key('cls_size')][number]
        if policy is ClassBalanced:
            np.testing.assert_array_equal(strategy.sizes(statistics), sizes)
        else:  # the authors give each class the total size
            np.testing.assert_array_equal(sizes, statistics.total + num_classes + 1)
        check_mining(sizes, data, key, number)

        thresholds = torch.from_numpy(thresholds)
        for image, scores in enumerate(maps):
            labels = strategy.label(scores, thresholds)
            np.testing.assert_array_equal(labels, data[key('pseudo_trainIds')][number, image])
            np.testing.assert_array_equal(label_ids(labels, num_classes), data[key('pseudo_labelIds')][number, image])
            if key('reweighted_labelIds') in data:
                labels = strategy.reweighted(scores, thresholds)[1]
                np.testing.assert_array_equal(
                    label_ids(labels, num_classes), data[key('reweighted_labelIds')][number, image]
                )


def check_mining(sizes, data: dict, key, number: int) -> None:
    mine_id = data[key('mine_id')][number]
    threshold = float(data.get('mine_thresh', 0.001))
    priority, mined = mining_classes(sizes, threshold, len(mine_id))
    np.testing.assert_array_equal(priority, np.flatnonzero(data[key('mine_priority_mask')][number]))
    np.testing.assert_array_equal(mined, data[key('mine_id_stable')][number])
    if data[key('mine_id_unambiguous')][number]:
        np.testing.assert_array_equal(mined, mine_id)


@pytest.mark.parametrize('path', golden_files('cbst', 'kc_') + golden_files('cbst', 'prior'))
def test_labels(path):
    data = load(path)
    prob = torch.from_numpy(data['prob'])
    maps = torch.from_numpy(data['prior'].astype(np.float32)) * prob if 'prior' in data else prob
    for name, scores in dict(plain=prob, prior=maps).items():
        if f'{name}_labelIds' in data:
            for image, expected in enumerate(data[f'{name}_labelIds']):
                np.testing.assert_array_equal(label_ids(most_likely(scores[image])[1], prob.shape[1]), expected)

    # The global policy keeps the most likely class, so that only the class-balanced one stores reweighted labels.
    check_policy(data, maps, str, ClassBalanced if 'reweighted_labelIds' in data else Global)
    if 'global_cls_thresh' in data:
        check_policy(data, maps, 'global_{}'.format, Global)


@pytest.mark.parametrize('path', golden_files('cbst', 'mining_select'))
def test_mined_classes(path):
    data = load(path)
    cases = sorted(key[: -len('cls_size')] for key in data if key.endswith('__cls_size'))
    assert cases
    for case in cases:
        threshold, number = data[f'{case}thresh_number']
        priority, mined = mining_classes(data[f'{case}cls_size'], threshold, int(number))
        np.testing.assert_array_equal(priority, data[f'{case}mine_id_priority'], err_msg=case)
        np.testing.assert_array_equal(mined, data[f'{case}mine_id_stable'], err_msg=case)
        if data[f'{case}unambiguous']:
            np.testing.assert_array_equal(mined, data[f'{case}mine_id'], err_msg=case)
