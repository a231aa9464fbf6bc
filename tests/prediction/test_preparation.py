"""The test pipeline of a config for single images."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from predictions import network_config, picture

from mmuda.prediction.preparation import Preparation

RESIZE = dict(type='Resize', scale=(28, 20), keep_ratio=False)


def test_an_image_is_prepared_without_labels():
    image = picture()
    found = Preparation(network_config()).whole(image, 'x.png', keep_picture=True)
    (inputs,), (sample,) = found.inputs, found.data_samples
    assert torch.equal(inputs, torch.from_numpy(image).permute(2, 0, 1)) and found.picture is image
    assert sample.ori_shape == found.size == (40, 56) and sample.img_path == 'x.png' and 'gt_sem_seg' not in sample


def test_the_size_of_the_config_is_for_whole_images_only():
    preparation = Preparation(network_config(resize=RESIZE))
    assert preparation.resizes and not Preparation(network_config()).resizes
    whole, window = preparation.whole(picture()), preparation.window(picture())
    assert whole.inputs[0].shape == (3, 20, 28) and whole.data_samples[0].ori_shape == (40, 56)
    assert window.inputs[0].shape == (3, 40, 56)
    factor = dict(type='Resize', scale_factor=0.5)
    assert Preparation(network_config(resize=factor)).window(picture()).inputs[0].shape == (3, 20, 28)
    larger = Preparation(network_config(), window_scale=1.5).window(picture())
    assert larger.inputs[0].shape == (3, 60, 84) and larger.data_samples[0].ori_shape == (40, 56)


def test_augmentations():
    found = Preparation(network_config(resize=RESIZE), tta=True, scales=[0.5, 1.0]).whole(picture())
    assert [tuple(image.shape[1:]) for image in found.inputs] == [(10, 14)] * 2 + [(20, 28)] * 2
    assert [bool(sample.flip) for sample in found.data_samples] == [False, True] * 2
    assert torch.equal(found.inputs[2].flip(-1), found.inputs[3])
    assert len(Preparation(network_config(), scales=[0.5, 2]).whole(picture()).inputs) == 2
    cfg = network_config()
    sizes = [dict(type='Resize', scale_factor=factor) for factor in (0.5, 1.0, 2.0)]
    transforms = [sizes, [dict(type='LoadAnnotations')], [dict(type='PackSegInputs')]]
    cfg.tta_pipeline = [dict(type='LoadImageFromFile'), dict(type='TestTimeAug', transforms=transforms)]
    assert len(Preparation(cfg, tta=True).whole(picture()).inputs) == 3
    assert len(Preparation(cfg).whole(picture()).inputs) == 1


def test_augmented_windows_keep_their_pixels():
    found = Preparation(network_config(resize=RESIZE), tta=True, scales=[1.0, 1.5]).window(picture())
    assert [tuple(image.shape[1:]) for image in found.inputs] == [(40, 56)] * 2 + [(60, 84)] * 2
    assert torch.equal(found.inputs[1], torch.from_numpy(picture()[:, ::-1].copy()).permute(2, 0, 1))


def test_damaged_files_are_named(tmp_path):
    content = cv2.imencode('.png', picture())[1].tobytes()
    (tmp_path / 'half.png').write_bytes(content[: len(content) // 2])
    preparation = Preparation(network_config(), max_pixels=1000)
    with pytest.raises(OSError, match='half.png cannot be decoded'):
        Preparation(network_config()).read(str(tmp_path / 'half.png'))
    (tmp_path / 'whole.png').write_bytes(content)
    with pytest.raises(ValueError, match='whole.png has 56x40 = 2,240 pixels, more than max_pixels=1,000'):
        preparation.read(str(tmp_path / 'whole.png'))
    np.save(tmp_path / 'many.npy', np.zeros((20, 20, 12), np.uint8))
    with pytest.raises(ValueError, match='many.npy has 20x20x12 values, as many as 1,600 pixels, more than max_pixels'):
        preparation.read(str(tmp_path / 'many.npy'))
    assert np.array_equal(Preparation(network_config()).read(str(tmp_path / 'whole.png')), picture())


def test_configs_without_a_pipeline_are_an_error():
    with pytest.raises(KeyError, match='no test_dataloader.dataset.pipeline and no test_pipeline'):
        Preparation(Config(dict(model=dict())))
    steps = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]
    assert Preparation(Config(dict(test_pipeline=steps))).whole(picture()).inputs
    inner = dict(type='ConcatDataset', datasets=[dict(type='BaseSegDataset', pipeline=steps)])
    assert Preparation(Config(dict(test_dataloader=dict(dataset=inner)))).whole(picture()).inputs
    with pytest.raises(ValueError, match='begins with PackSegInputs'):
        Preparation(Config(dict(test_pipeline=steps[1:])))
    with pytest.raises(ValueError, match='positive numbers'):
        Preparation(network_config(), scales=[0.5, -1])
