"""Use of a trained network through the APIs of mmseg."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.apis import MMSegInferencer, inference_model, init_model
from toolbox import tiny_config

from mmuda.checkpoints.latest import latest_checkpoint
from mmuda.engine.launch import build_runner


@pytest.fixture(scope='module')
def trained(minicity, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('advent')
    cfg = tiny_config('advent', minicity, work_dir, iters=2)
    build_runner(cfg).train()
    return cfg, latest_checkpoint(work_dir)


def test_init_model_and_inference(trained):
    cfg, checkpoint = trained
    model = init_model(cfg.copy(), checkpoint, device='cpu')
    image = np.zeros((48, 64, 3), np.uint8)
    found = inference_model(model, image)
    assert found.pred_sem_seg.data.shape == (1, 48, 64)
    state = torch.load(checkpoint, weights_only=False)['state_dict']
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())


def test_inferencer(trained, tmp_path):
    cfg, checkpoint = trained
    cfg.dump(tmp_path / 'config.py')
    inferencer = MMSegInferencer(str(tmp_path / 'config.py'), checkpoint, device='cpu')
    found = inferencer(np.zeros((48, 64, 3), np.uint8))
    assert found['predictions'].shape == (48, 64)


def test_weights_that_do_not_fit_are_an_error_of_the_inferencer(trained, tmp_path):
    cfg, checkpoint = trained
    cfg.dump(tmp_path / 'config.py')
    content = torch.load(checkpoint, weights_only=True)
    state = content['state_dict']
    state['segmentor.decode_head.branch'] = state.pop('segmentor.decode_head.branches.0.weight')
    torch.save(content, tmp_path / 'bad.pth')
    with pytest.raises(RuntimeError, match='(?s)does not fit ADVENT.*missing: segmentor.decode_head.branches.0.weight'):
        MMSegInferencer(str(tmp_path / 'config.py'), str(tmp_path / 'bad.pth'), device='cpu')


def test_a_segmentor_does_not_stay_random(tmp_path):
    """Weights of a plain segmentor load as in mmseg, but a file without any of its weights is an error."""
    backbone = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4)
    head = dict(type='FCNHead', in_channels=32, in_index=3, channels=4, num_classes=3)
    cfg = Config(dict(default_scope='mmseg', model=dict(type='EncoderDecoder', backbone=backbone, decode_head=head)))
    meta = dict(dataset_meta=dict(classes=['a', 'b', 'c'], palette=[[0, 0, 0]] * 3))
    torch.save(dict(state_dict={'encoder.stem': torch.ones(2)}, meta=meta), tmp_path / 'other.pth')
    with pytest.raises(RuntimeError, match='has none of the .* weights of EncoderDecoder.* but encoder.stem'):
        init_model(cfg.copy(), str(tmp_path / 'other.pth'), device='cpu')
    torch.save(dict(state_dict={'decode_head.conv_seg.bias': torch.full((3,), 5.0)}, meta=meta), tmp_path / 'part.pth')
    model = init_model(cfg.copy(), str(tmp_path / 'part.pth'), device='cpu')
    assert model.decode_head.conv_seg.bias.tolist() == [5, 5, 5]
