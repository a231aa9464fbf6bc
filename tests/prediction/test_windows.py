"""Overlapping windows with blended probabilities."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from mmuda.prediction.sources import ArraySource
from mmuda.prediction.windows import spans, sweep


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 400), st.integers(1, 120), st.integers(0, 30))
def test_weights_of_all_windows_add_up_to_one(length, window, overlap):
    overlap = min(overlap, window // 4)
    total = np.zeros(length)
    found = spans(length, window, overlap)
    for span in found:
        assert 0 <= span.start <= span.low < span.high <= span.stop <= length
        assert span.stop - span.start == min(window, length)
        weights = np.ones(span.high - span.low)
        assert span.before + span.after <= len(weights)
        ramp = (np.arange(max(span.before, span.after)) + 0.5) / max(span.before, span.after, 1)
        weights[: span.before] = ramp[: span.before]
        if span.after:
            weights[-span.after :] = 1 - (np.arange(span.after) + 0.5) / span.after
        total[span.low : span.high] += weights
    assert np.allclose(total, 1)
    assert all(first.after == second.before for first, second in zip(found, found[1:], strict=False))


def slowly(image: np.ndarray, window: int, overlap: int, predict) -> torch.Tensor:
    """Return blended probabilities (C, H, W), computed with the whole image in memory."""
    height, width = image.shape[:2]
    total = None
    for down in spans(height, window, overlap):
        for across in spans(width, window, overlap):
            (probs,) = predict([image[down.start : down.stop, across.start : across.stop]])
            for axis, span in ((1, down), (2, across)):
                weights = torch.zeros(span.stop - span.start)
                inside = torch.ones(span.high - span.low)
                if span.before:
                    inside[: span.before] = (torch.arange(span.before) + 0.5) / span.before
                if span.after:
                    inside[-span.after :] = 1 - (torch.arange(span.after) + 0.5) / span.after
                weights[span.low - span.start : span.high - span.start] = inside
                probs = probs * weights.view([-1, 1] if axis == 1 else [1, -1])
            total = torch.zeros(len(probs), height, width) if total is None else total
            total[:, down.start : down.stop, across.start : across.stop] += probs
    return total


@pytest.mark.parametrize('size', [(70, 95), (24, 200), (33, 24), (7, 5)])
@pytest.mark.parametrize('batch_size', [1, 3])
def test_rows_are_those_of_the_whole(size, batch_size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)

    def predict(windows):
        """Return probabilities that depend on the position in the window, like those of a network near the border."""
        found = []
        for window in windows:
            values = torch.from_numpy(window.copy()).permute(2, 0, 1).float()
            found.append((values / 60 + torch.linspace(0, 1, window.shape[1])).softmax(dim=0))
        return found

    def decide(probs):
        best, label = probs.max(dim=0)
        return label.byte().numpy(), best.numpy()

    wanted = slowly(image, 24, 6, predict)
    assert torch.allclose(wanted.sum(dim=0), torch.ones(size))
    bands = list(sweep(ArraySource(image), 24, 6, predict, decide, batch_size))
    assert [band.top for band in bands] == list(np.cumsum([0, *(len(band.label) for band in bands[:-1])]))
    assert np.array_equal(np.concatenate([band.picture for band in bands]), image)
    confidence = np.concatenate([band.confidence for band in bands])
    assert np.allclose(confidence, wanted.amax(dim=0), atol=1e-6)
    sure = (wanted.topk(2, dim=0)[0].diff(dim=0)[0].abs() > 1e-5).numpy()
    label = np.concatenate([band.label for band in bands])
    assert np.array_equal(label[sure], wanted.argmax(dim=0).numpy()[sure]) and sure.mean() > 0.9


def test_wrong_windows_are_an_error():
    with pytest.raises(ValueError, match='windows of 16 pixels that share 5'):
        spans(100, 16, 5)
    with pytest.raises(ValueError, match='at least one pixel'):
        spans(100, 0, 0)
