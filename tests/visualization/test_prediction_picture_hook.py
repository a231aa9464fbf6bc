"""Pictures of predictions, written during a test."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmuda.visualization import PredictionPictureHook, sample_panel

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


def test_hook_writes_a_panel_for_each_image(predicted, tmp_path):
    samples = [predicted(name, 0)[0] for name in ('street', 'square')]
    dataset = SimpleNamespace(metainfo=dict(palette=PALETTE))
    runner = SimpleNamespace(test_loop=SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset)))
    PredictionPictureHook(str(tmp_path / 'new' / 'out')).after_test_iter(runner, 0, None, samples)
    assert sorted(path.name for path in (tmp_path / 'new' / 'out').iterdir()) == ['square.png', 'street.png']
    written = cv2.imread(str(tmp_path / 'new' / 'out' / 'street.png'))[:, :, ::-1]
    np.testing.assert_array_equal(written, sample_panel(samples[0], PALETTE))
