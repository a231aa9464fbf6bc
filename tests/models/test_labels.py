"""Label maps of batches, of confident predictions, and at smaller sizes."""

import pytest
import torch
from toolbox import labelled_side

from mmuda.models.labels import confident_labels, labels_of, nearest_labels


def test_labels_of_a_batch():
    batch = labelled_side(3, 2, size=(40, 56), label_size=(5, 7))
    labels = labels_of(batch)
    assert labels.shape == (2, 5, 7) and labels.dtype == torch.int64
    for label, sample in zip(labels, batch['data_samples'], strict=True):
        assert torch.equal(label, sample.gt_sem_seg.data[0])


def test_confident_labels():
    probs = torch.tensor([[0.75, 0.25, 0.0], [0.125, 0.75, 0.125], [0.5, 0.25, 0.25], [0.25, 0.0, 0.75]])
    logits = probs.clamp(min=1e-9).log().T[None, :, None]
    exact = logits.softmax(dim=1).max(dim=1).values[0, 0]
    threshold = exact[[0, 1, 3]].min().item()
    assert confident_labels(logits, threshold).tolist() == [[[0, 1, 255, 2]]], (
        'a confidence equal to the threshold must count'
    )
    assert confident_labels(logits, 0.8).tolist() == [[[255] * 4]]
    assert confident_labels(logits.requires_grad_(), 0.5 - 1e-6, ignore_index=-1).tolist() == [[[0, 1, 0, 2]]]
    assert confident_labels(logits, 0.7, ignore_index=-1).tolist() == [[[0, 1, -1, 2]]]
    assert not confident_labels(logits, 0.7).requires_grad and confident_labels(logits, 0.7).dtype == torch.int64


@pytest.mark.parametrize('size, to', [((17, 23), (5, 6)), ((8, 12), (2, 3)), ((5, 6), (5, 6)), ((7, 3), (1, 1))])
def test_nearest_labels(size, to):
    labels = torch.randint(256, (2, *size), generator=torch.Generator().manual_seed(0))
    rows, columns = (torch.arange(n) * full // n for n, full in zip(to, size, strict=True))
    found = nearest_labels(labels, to)
    assert found.dtype == labels.dtype
    assert torch.equal(found, labels[:, rows][:, :, columns])
