"""Published networks give the same outputs in plain mmseg, in a process that cannot import mmuda."""

import numpy as np
import pytest
import torch
from alone import predict
from mmengine.config import Config
from mmseg.apis import inference_model
from mmseg.registry import MODELS
from preloaded import start
from toolbox import CONFIGS, tiny_options

from mmuda.checkpoints import publish, weights_meta, write_checkpoint
from mmuda.engine.launch import load_config
from mmuda.engine.plain_config import write_plain_config


def published(cfg: Config, folder) -> tuple[list, torch.Tensor, np.ndarray]:
    """Publish the network of a config; return its files, its logits (C, H, W) for an image, and the image."""
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    meta = dict(dataset_meta=dict(classes=['x'] * model.num_classes, palette=[[0, 0, 0]] * model.num_classes))
    write_checkpoint(folder / 'iter_2.pth', dict(state_dict=model.state_dict(), meta={**meta, **weights_meta(model)}))
    weights = publish(folder / 'iter_2.pth', folder / 'out/net.pth')
    files = [weights, *write_plain_config(cfg, weights)]
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    model.cfg = cfg
    return files, inference_model(model, image).seg_logits.data, image


@pytest.mark.parametrize('decode_head', [None, 'FCNHead'])
def test_the_same_outputs_without_mmuda(tmp_path, decode_head):
    cfg = load_config(CONFIGS / 'advent/minicity.py', tiny_options('advent'), str(tmp_path))
    if decode_head is not None:  # a network of mmseg's own parts
        head = dict(type='FCNHead', in_channels=32, in_index=3, channels=4, num_classes=19)
        cfg.model.segmentor.decode_head = head
        cfg.model.segmentor.backbone = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4)
    files, wanted, image = published(cfg, tmp_path)
    assert [path.suffix for path in files] == ['.pth', '.py', '.py'][: 3 if decode_head is None else 2]
    np.save(tmp_path / 'image.npy', image)
    arguments = [files[1], files[0], tmp_path / 'image.npy', tmp_path / 'found.pth']
    log = tmp_path / 'log.txt'
    process = start(predict, *map(str, arguments), log=log)
    process.join()
    assert process.exitcode == 0, log.read_text()[-3000:]
    found = torch.load(tmp_path / 'found.pth', weights_only=True)
    assert torch.equal(found['logits'], wanted) and wanted.std() > 0
    assert torch.equal(found['labels'].long(), wanted.argmax(dim=0))


def test_names_of_both_kinds_are_mapped_by_mmseg(tmp_path):
    """A plain segmentor loads the checkpoint of an adaptor, and an adaptor loads plain weights."""
    from mmseg.apis import init_model

    cfg = load_config(CONFIGS / 'advent/minicity.py', tiny_options('advent'), str(tmp_path))
    files, _, _ = published(cfg, tmp_path)
    plain = Config.fromfile(files[1])
    state = torch.load(tmp_path / 'iter_2.pth', weights_only=True)['state_dict']
    before = dict(MODELS.module_dict)
    model = init_model(plain, str(tmp_path / 'iter_2.pth'), device='cpu')
    assert MODELS.module_dict == before, 'the plain config must not change the registry'
    assert all(torch.equal(value, state[f'segmentor.{key}']) for key, value in model.state_dict().items())
    adaptor = init_model(cfg.copy(), str(files[0]), device='cpu')
    found = {key: value for key, value in adaptor.state_dict().items() if key.startswith('segmentor.')}
    assert found and all(torch.equal(value, state[key]) for key, value in found.items())


def test_weights_that_do_not_fit_are_an_error_in_mmseg(tmp_path):
    from mmseg.apis import init_model

    cfg = load_config(CONFIGS / 'advent/minicity.py', tiny_options('advent'), str(tmp_path))
    files, _, _ = published(cfg, tmp_path)
    content = torch.load(files[0], weights_only=True)
    content['state_dict']['decode_head.branches.0.wight'] = content['state_dict'].pop('decode_head.branches.0.weight')
    torch.save(content, tmp_path / 'bad.pth')
    with pytest.raises(RuntimeError, match='(?s)does not fit ADVENT.*missing: segmentor.decode_head.branches.0.weight'):
        init_model(cfg.copy(), str(tmp_path / 'bad.pth'), device='cpu')
