"""The network of a config as a function."""

import copy
from pathlib import Path

import cv2
import mmseg
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmseg.registry import MODELS
from predictions import CLASSES, network_config, picture
from toolbox import tiny_segmentor

import mmuda
from mmuda.engine.inference import load_model
from mmuda.engine.launch import load_config
from mmuda.engine.plain_config import write_plain_config
from mmuda.prediction import predictor as module
from mmuda.prediction.networks import Networks
from mmuda.prediction.preparation import Preparation

RESIZE = dict(type='Resize', scale=(112, 72), keep_ratio=False)


def by_test_step(cfg, checkpoint, image) -> torch.Tensor:
    """Return the logits (C, H, W) of mmengine's test step."""
    prepared = Preparation(cfg).whole(image)
    batch = pseudo_collate([dict(inputs=prepared.inputs[0], data_samples=prepared.data_samples[0])])
    with torch.no_grad():
        return load_model(cfg, checkpoint).test_step(batch)[0].seg_logits.data


@pytest.mark.parametrize('pipeline', [{}, dict(resize=RESIZE)])
def test_a_prediction_is_that_of_a_test(checkpoint, tmp_path, pipeline):
    cfg = network_config(**pipeline)
    logits = by_test_step(cfg, checkpoint, picture())
    found = mmuda.predict(cfg, checkpoint)(picture())
    assert np.array_equal(found.label, logits.argmax(dim=0).numpy()) and found.label.dtype == np.uint8
    assert np.allclose(found.confidence, logits.softmax(dim=0).amax(dim=0), atol=1e-6)
    assert found.classes.names == CLASSES and len(np.unique(found.label)) > 1
    cv2.imwrite(str(tmp_path / 'x.png'), picture())
    cfg.dump(tmp_path / 'config.py')
    again = mmuda.predict(tmp_path / 'config.py', str(checkpoint))(tmp_path / 'x.png')
    assert np.array_equal(again.label, found.label) and np.array_equal(again.confidence, found.confidence)


def test_probabilities_of_networks_and_augmentations_are_averaged(checkpoint, second_checkpoint):
    cfg = network_config()
    both = [by_test_step(cfg, path, picture()) for path in (checkpoint, second_checkpoint)]
    mirrored = [by_test_step(cfg, path, picture()[:, ::-1].copy()).flip(-1) for path in (checkpoint, second_checkpoint)]
    for options, logits in (({}, both), (dict(tta=True), [*both, *mirrored])):
        mean = sum(one.softmax(dim=0) for one in logits) / len(logits)
        found = mmuda.predict(cfg, [checkpoint, second_checkpoint], **options)(picture())
        assert np.allclose(found.confidence, mean.amax(dim=0), atol=1e-6)
        sure = (mean.topk(2, dim=0)[0].diff(dim=0)[0].abs() > 1e-5).numpy()
        assert np.array_equal(found.label[sure], mean.argmax(dim=0).numpy()[sure])


def test_windows_of_the_whole_image_are_the_image(checkpoint):
    cfg = network_config()
    whole = mmuda.predict(cfg, checkpoint)(picture())
    window = mmuda.predict(cfg, checkpoint, window=40, overlap=8)(picture(size=(40, 40)))
    assert np.array_equal(window.label, mmuda.predict(cfg, checkpoint)(picture(size=(40, 40))).label)
    found = mmuda.predict(cfg, checkpoint, window=32, overlap=8, batch_size=2)(picture())
    assert found.label.shape == (40, 56) and 0.3 < (found.label == whole.label).mean() < 1
    assert found.confidence.min() > 0.2 and found.confidence.max() <= 1


def test_large_images_are_predicted_in_windows_unless_the_config_resizes_them(checkpoint):
    options = dict(whole_up_to=2000)
    assert mmuda.predict(network_config(), checkpoint, **options).in_windows((40, 56))
    assert not mmuda.predict(network_config(), checkpoint).in_windows((40, 56))
    assert not mmuda.predict(network_config(resize=RESIZE), checkpoint, **options).in_windows((400, 560))


@pytest.mark.parametrize('align_corners', [False, True])
def test_large_logits_are_enlarged_by_rows(checkpoint, monkeypatch, align_corners):
    cfg = network_config(resize=dict(type='Resize', scale=(24, 16), keep_ratio=False))
    cfg.model.segmentor.decode_head.align_corners = align_corners
    predictor = mmuda.predict(cfg, checkpoint)
    prepared = predictor.preparation.whole(picture())
    prepared.data_samples[0].set_metainfo(dict(ori_shape=(16, 24)))
    (scores,) = predictor.networks.scores([prepared])
    wanted = torch.nn.functional.interpolate(
        scores.logits[None], (40, 56), mode='bilinear', align_corners=align_corners
    )[0]
    monkeypatch.setattr(module, 'ENLARGED_FROM', 1000)
    monkeypatch.setattr('mmuda.prediction.networks.ROWS_OF', 7 * 4 * 56)
    found = predictor(picture())
    assert np.allclose(found.confidence, wanted.softmax(dim=0).amax(dim=0), atol=1e-5)
    assert (found.label == wanted.argmax(dim=0).numpy()).mean() > 0.999
    assert len(list(predictor.bands(picture()))) == 6


def test_one_output_tells_two_classes_apart():
    torch.manual_seed(0)
    cfg = tiny_segmentor(two_levels=False)
    loss = dict(type='CrossEntropyLoss', use_sigmoid=True)
    head = dict(in_channels=32, in_index=3, channels=8, num_classes=2, out_channels=1, threshold=0.4, loss_decode=loss)
    cfg.pop('decode_head')
    head = dict(type='FCNHead', **head)
    cfg.update(type='EncoderDecoder', decode_head=head, data_preprocessor=dict(type='SegDataPreProcessor'))
    network = MODELS.build(cfg).eval()
    torch.nn.init.normal_(network.decode_head.conv_seg.weight)
    networks = Networks([network])
    prepared = Preparation(network_config()).whole(picture())
    batch = dict(inputs=prepared.inputs, data_samples=copy.deepcopy(prepared.data_samples))
    (sample,) = network.test_step(batch)
    foreground, wanted = sample.seg_logits.data[0], sample.pred_sem_seg.data[0].byte()
    (scores,) = networks.scores([prepared])
    label, confidence = networks.decide(scores, confidence=True)
    assert torch.equal(label, wanted) and 0 < label.float().mean() < 1
    assert torch.equal(confidence, torch.where(wanted.bool(), foreground, 1 - foreground))
    (mean,) = Networks([network, network]).scores([prepared])
    assert torch.equal(networks.decide(mean, False)[0], wanted)
    assert torch.equal(networks.decide_probabilities(networks.probabilities(scores.logits), False)[0], wanted)


def test_published_weights_run_with_the_plain_config_beside_them(checkpoint, tmp_path):
    from mmuda.checkpoints import publish

    cfg = network_config()
    weights = publish(checkpoint, tmp_path / 'net.pth')
    (config, *_) = write_plain_config(cfg, weights)
    found = mmuda.predict(config, weights)(picture())
    assert np.array_equal(found.label, mmuda.predict(cfg, checkpoint)(picture()).label)
    assert found.classes.names == CLASSES


def test_networks_of_plain_mmseg_run_with_their_config(tmp_path):
    config = Path(mmseg.__file__).parent / '.mim/configs/fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py'
    cfg = load_config(config)
    cfg.test_dataloader.dataset.pipeline[1].scale = (112, 80)
    torch.manual_seed(0)
    network = MODELS.build(cfg.model).eval()
    torch.save(dict(state_dict=network.state_dict()), tmp_path / 'net.pth')
    found = mmuda.predict(cfg, tmp_path / 'net.pth')(picture())
    prepared = Preparation(cfg).whole(picture())
    with torch.no_grad():
        (sample,) = network.test_step(dict(inputs=prepared.inputs, data_samples=prepared.data_samples))
    assert np.array_equal(found.label, sample.pred_sem_seg.data[0].numpy())
    assert found.classes.names[0] == 'road' and found.classes.palette[0] == (128, 64, 128)


def test_mistakes_are_told(checkpoint, tmp_path):
    cfg = network_config()
    with pytest.raises(ValueError, match='window=32, overlap=20'):
        mmuda.predict(cfg, checkpoint, window=32, overlap=20)
    predictor = mmuda.predict(cfg, checkpoint)
    with pytest.raises(FileNotFoundError, match='gone.png does not exist'):
        predictor(tmp_path / 'gone.png')
    with pytest.raises(TypeError, match=r'not an array of shape \(5, 5\)'):
        predictor(np.zeros((5, 5), np.uint8))
    cfg.model.segmentor.type = 'BicubicEncoderDecoder'
    with pytest.raises(ValueError, match='does already'):
        mmuda.predict(cfg, checkpoint, tta=True)
    cfg = network_config()
    cfg.model.segmentor.backbone.depht = 18
    with pytest.raises(ValueError, match='depht'):
        mmuda.predict(cfg, checkpoint)
