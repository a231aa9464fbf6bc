"""mmseg's own ways to use a trained network."""

import numpy as np
import pytest
import torch
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
