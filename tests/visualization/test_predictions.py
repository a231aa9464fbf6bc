"""Predicted data samples as arrays and pictures."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmuda.visualization import collect_samples, colorize, entropy_map, heat, sample_panel

PALETTE = [(128, 64, 128), (0, 0, 142), (0, 80, 100)]


@pytest.fixture
def predicted(tmp_path):
    """Return a function that makes a data sample with an image and with predictions drawn from a seed."""

    def make(name, seed, labelled=True):
        path = tmp_path / f'{name}.png'
        image = np.random.default_rng(len(name)).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(path), image[:, :, ::-1])
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(3, 6, 8, generator=generator)
        sample = SegDataSample(metainfo=dict(img_path=str(path)))
        sample.seg_logits = PixelData(data=logits)
        sample.pred_sem_seg = PixelData(data=logits.argmax(0, keepdim=True))
        if labelled:
            sample.gt_sem_seg = PixelData(data=torch.full((1, 6, 8), len(name) % 3))
        return sample, image

    return make


def test_collected_samples_are_matched_by_image(predicted):
    street, image = predicted('street', 0)
    # The second run has the images in another order, and each run has an image of its own.
    again, square, other = (predicted(name, seed)[0] for name, seed in (('street', 1), ('square', 2), ('lane', 3)))
    found = collect_samples({'one': iter([street, other]), 'two': iter([square, again])})
    assert [sample.name for sample in found] == ['street', 'lane', 'square']
    assert [sorted(sample.predictions) for sample in found] == [['one', 'two'], ['one'], ['two']]
    np.testing.assert_array_equal(found[0].image, image)
    assert found[0].ground_truth.tolist() == [[0] * 8] * 6 and found[0].ground_truth.dtype == np.uint8
    for run, data in dict(one=street, two=again).items():
        np.testing.assert_array_equal(found[0].predictions[run], data.seg_logits.data.argmax(0))
        np.testing.assert_array_equal(found[0].entropies[run], entropy_map(data.seg_logits.data))


def test_panel_shows_what_there_is(predicted):
    sample, image = predicted('street', 0)
    sheet = sample_panel(sample, PALETTE)
    label = sample.pred_sem_seg.data[0].numpy().astype(np.uint8)
    pictures = [
        image,
        np.full((6, 8, 3), PALETTE[0]),
        colorize(label, PALETTE),
        heat(entropy_map(sample.seg_logits.data)),
    ]
    # Four pictures in a row, at the same height.
    (top, left) = next(
        (top, left)
        for top in range(sheet.shape[0] - 6)
        for left in range(sheet.shape[1] - 8)
        if np.array_equal(sheet[top : top + 6, left : left + 8], image)
    )
    step = (sheet.shape[1] - left) // 4
    for place, picture in enumerate(pictures):
        start = left + place * step
        np.testing.assert_array_equal(sheet[top : top + 6, start : start + 8], picture)
    assert sample_panel(predicted('street', 0, labelled=False)[0], PALETTE).shape[1] == sheet.shape[1] - step


def test_damaged_images_are_named(predicted, tmp_path):
    sample, _ = predicted('street', 0)
    path = tmp_path / 'street.png'
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(OSError, match='street.png'):
        sample_panel(sample, PALETTE)
