"""DAFormer: its feature distance by hand, and its second backbone."""

import pytest
import torch
from toolbox import NUM_CLASSES, side, tiny_adaptor, wrappers_of

from projects.daformer import daformer, feature_distance, majority_labels
from projects.daformer.feature_distance import class_table


def batch(seed: int = 0) -> dict:
    return dict(source=side(seed, True), target=side(seed + 100, False))


def adaptor(**kwargs):
    weights = dict(distance=0.5, **kwargs.pop('loss_weights', {}))
    return tiny_adaptor('DAFormer', two_levels=False, distance_classes=(1, 2), loss_weights=weights, **kwargs)


def test_majority_by_hand():
    labels = torch.zeros(1, 4, 9, dtype=torch.int64)
    labels[0, 0, 4:8] = 1  # a quarter of the second cell
    labels[0, :, 8] = 2  # beyond the last cell
    assert majority_labels(labels, (1, 2), 3, min_ratio=0.75).tolist() == [[[0, 0]]]
    labels[0, 1, 4] = 255  # ignored pixels count in the number of pixels
    assert majority_labels(labels, (1, 2), 3, min_ratio=0.75).tolist() == [[[0, 255]]]
    labels[0, :, :4] = 255
    labels[0, 0, 0] = 7  # no class
    assert majority_labels(labels, (1, 2), 3, min_ratio=0.5).tolist() == [[[255, 0]]]


def test_cells_of_a_grid_that_no_square_gives():
    labels = torch.tensor([0, 0, 1, 1, 2]).expand(1, 5, 5).clone()  # rows 0-1, 2-3 and 4 below three cells
    labels[0, 4] = 2
    assert majority_labels(labels, (3, 3), 3, min_ratio=0.5).tolist() == [[[0, 1, 2], [0, 1, 2], [2, 2, 2]]]


def test_distance_by_hand():
    features = torch.tensor([[3.0, 1.0], [4.0, 1.0]]).view(1, 2, 1, 2).requires_grad_()
    reference = torch.zeros(1, 2, 1, 2)
    first = torch.tensor([[[True, False]]])
    assert feature_distance(features, reference, first).item() == 5.0
    both = feature_distance(features, reference, first | True)
    assert both.item() == pytest.approx((5 + 2**0.5) / 2)
    nothing = feature_distance(features, reference, first & False)
    nothing.backward()
    assert nothing.item() == 0 and not features.grad.any()
    same = feature_distance(features, features.detach(), first)
    features.grad = None
    same.backward()
    assert not features.grad.any(), 'no NaN'


def test_classes_of_the_distance():
    assert class_table([1], 3).nonzero().flatten().tolist() == [1]
    assert class_table(None, 3).all()
    with pytest.raises(ValueError, match=r'distance_classes=\[1, 3\]: expected train ids from 0 to 2'):
        class_table([3, 1], 3)


def test_features_of_imagenet_stay_as_they_are():
    model = adaptor().train()
    reference = {name: value.clone() for name, value in model.imagenet.state_dict().items()}
    assert not any('head' in name for name in reference)
    assert not any(module.training for module in model.imagenet.modules())
    student = next(model.segmentor.parameters()).clone()
    logs = model.train_step(batch(), wrappers_of(model))
    assert logs['loss_distance'] >= 0 and not torch.equal(student, next(model.segmentor.parameters()))
    assert all(torch.equal(value, reference[name]) for name, value in model.imagenet.state_dict().items())


def test_without_a_distance_there_is_no_second_backbone():
    model = tiny_adaptor('DAFormer', two_levels=False, loss_weights=dict(distance=0.0)).train()
    assert not hasattr(model, 'imagenet')
    assert 'loss_distance' not in model.train_step(batch(), wrappers_of(model))


def test_random_features_are_warned_of(monkeypatch):
    said = []
    monkeypatch.setattr(daformer, 'print_log', lambda text, **_: said.append(text))
    tiny_adaptor('DAFormer', two_levels=False, loss_weights=dict(distance=0.0))
    assert not said
    adaptor()
    assert len(said) == 1 and 'a backbone of random weights: give the backbone an init_cfg' in said[0]


def test_published_settings():
    model = adaptor()
    assert model.teacher.decay == 0.999 and not model.teacher.dropout
    assert model.teacher_update == 'before_forward' and model.classes_of == 'batch' and model.source_mean == 'all'
    assert model.num_classes == NUM_CLASSES
