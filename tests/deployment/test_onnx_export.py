"""Export of networks to ONNX files."""

import json
import sys

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from predictions import CLASSES, PALETTE, network_config, save_network
from toolbox import FussyHead, tiny_adaptor

from mmuda.deployment import export_onnx, how_to_run
from mmuda.engine.inference import load_model

onnxruntime = pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    cfg = network_config()
    cfg.model.data_preprocessor.bgr_to_rgb = True
    return load_model(cfg, save_network(tmp_path_factory.mktemp('network') / 'net.pth'))


@pytest.fixture(scope='module')
def exported(model, tmp_path_factory):
    return export_onnx(model, tmp_path_factory.mktemp('onnx') / 'net.onnx', (40, 56))


def run(path, images: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    return session.run(None, dict(images=images.numpy()))[0]


def test_images_of_any_size_and_number(model, exported):
    assert exported.dynamic and exported.reason is None and exported.apart == 0
    for shape in ((1, 3, 40, 56), (3, 3, 51, 37)):
        images = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            wanted = torch.stack([sample.pred_sem_seg.data[0] for sample in model.segmentor.predict(images)])
        found = run(exported.path, images)
        assert found.dtype == np.uint8 and found.shape == (shape[0], *shape[2:])
        assert (found == wanted.numpy()).mean() > 0.9999 and len(np.unique(found)) > 1
    assert [path.name for path in exported.path.parent.iterdir()] == ['net.onnx']


def test_the_file_says_how_it_is_run(exported):
    meta = onnxruntime.InferenceSession(str(exported.path)).get_modelmeta().custom_metadata_map
    assert meta == exported.facts
    assert json.loads(meta['mean']) == [90, 100, 110] and json.loads(meta['std']) == [50, 60, 70]
    assert meta['channel_order'] == 'RGB' and json.loads(meta['classes']) == list(CLASSES)
    assert json.loads(meta['palette']) == PALETTE and json.loads(meta['dynamic_size']) is True
    told = how_to_run(exported)
    assert 'any size -> labels' in told and 'np.float32([90.0, 100.0, 110.0])' in told and '# RGB' in told


def test_networks_that_predict_in_their_own_way_are_refused(model, tmp_path):
    adaptor = tiny_adaptor('SourceOnly', two_levels=False)
    adaptor.segmentor.decode_head = FussyHead(in_channels=32, channels=4, num_classes=4, in_index=3)
    with pytest.raises(ValueError, match='FussyHead has its own way to predict'):
        export_onnx(adaptor, tmp_path / 'x.onnx')
    segmentor = network_config().model.segmentor
    bicubic = MODELS.build(dict(segmentor, type='BicubicEncoderDecoder'))
    with pytest.raises(ValueError, match='BicubicEncoderDecoder has its own way .*segmentor.type=AdaptiveEncoder'):
        export_onnx(bicubic, tmp_path / 'x.onnx')
    with pytest.raises(ValueError, match="output='masks'"):
        export_onnx(model, tmp_path / 'x.onnx', output='masks')
    assert not (tmp_path / 'x.onnx').exists()


def test_a_missing_package_is_one_command(model, monkeypatch, tmp_path):
    module = sys.modules['mmuda.deployment.onnx_export']
    monkeypatch.setattr(module, 'find_spec', lambda name: None if name == 'onnxscript' else object())
    with pytest.raises(ModuleNotFoundError, match=r'ONNX needs onnxscript: pip install -e "\.\[deploy\]"'):
        export_onnx(model, tmp_path / 'x.onnx')


def test_a_file_that_computes_something_else_is_not_kept(model, monkeypatch, tmp_path):
    """A file with other outputs than PyTorch is deleted. A fake runtime simulates this, to avoid a second export."""
    module = sys.modules['mmuda.deployment.onnx_export']

    class Session:
        def __init__(self, *args, **kwargs) -> None: ...

        def run(self, names, feed):
            return [np.full((1, *feed['images'].shape[2:]), 3, np.uint8)]

    monkeypatch.setattr(onnxruntime, 'InferenceSession', Session)
    monkeypatch.setattr(torch.onnx, 'export', lambda network, args, path, **kwargs: open(path, 'wb').close())
    monkeypatch.setattr(module, '_add_metadata', lambda draft, metadata: None)
    with pytest.raises(RuntimeError, match='ONNX Runtime computes something else than PyTorch: labels differ by'):
        export_onnx(model, tmp_path / 'x.onnx', (40, 56))
    assert not list(tmp_path.iterdir())
