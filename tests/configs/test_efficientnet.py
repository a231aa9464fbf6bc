"""The base configs of EfficientNet-Lite with every method, and configs that serve as their control."""

import re
import warnings

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from toolbox import CONFIGS, NUM_CLASSES, optim_cfg, pair_batch

from mmuda.checkpoints.key_maps import EFFICIENTNET_LITE, rename
from mmuda.checkpoints.packages import installed_file
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.engine import PerModuleOptimWrapperConstructor
from mmuda.models.backbones.efficientnet_lite import RELEASED

SEGFORMER, JPU = 'efficientnet_lite0_segformer-os16', 'efficientnet_lite0_jpu-os16'
EXTRAS = dict(
    AdaptSegNet=dict(discriminator=dict(type='FCDiscriminatorHead', in_channels=NUM_CLASSES, base_channels=2)),
    FADA=dict(
        discriminator=dict(type='PixelDiscriminatorHead', in_channels=256, num_classes=NUM_CLASSES, channels=(8,))
    ),
    SIM=dict(stuff=(0, 1), things=(2, 3), prototypes=2),
)
EXTRAS['ADVENT'] = EXTRAS['AdaptSegNet']
EXTRAS['SIM'].update(EXTRAS['AdaptSegNet'])
SIZE = dict(size=(64, 96))


def adaptor(config: str, method: str):
    cfg = Config.fromfile(CONFIGS / f'_base_/models/{config}.py').model
    cfg.segmentor.decode_head.num_classes = NUM_CLASSES
    cfg.update(type=method, **EXTRAS.get(method, {}))
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    return model.train()


def train(model, iters: int = 2) -> list[dict]:
    wrappers = PerModuleOptimWrapperConstructor(optim_cfg(model, lr=0.01))(model)
    return [model.train_step(pair_batch(seed, **SIZE), wrappers) for seed in range(iters)]


def weights_of(model) -> dict:
    return {key: value.clone() for key, value in model.state_dict().items()}


@pytest.mark.parametrize(
    'config, method',
    [
        *((SEGFORMER, method) for method in ('SourceOnly', 'AdaBN', 'MinEnt', 'ADVENT', 'AdaptSegNet')),
        *((JPU, method) for method in ('SourceOnly', 'AdaptSegNet', 'SIM', 'FADA', 'SDCA')),
    ],
)
def test_a_base_config_trains_with_every_method(config, method):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        warnings.filterwarnings('ignore', message='.*torch.jit')
        model = adaptor(config, method)
        before = weights_of(model.segmentor.backbone)
        logs = train(model)
    released = rename(read_checkpoint(installed_file(RELEASED[0])), EFFICIENTNET_LITE).weights
    assert all(torch.equal(value, released[f'backbone.{key}']) for key, value in before.items())
    assert all(value.isfinite().all() for log in logs for value in log.values())
    after = weights_of(model.segmentor.backbone)
    kept = {key for key, value in after.items() if torch.equal(value, before[key])}
    # The scale and shift of this batch-norm get hardly any gradient, since another normalisation follows.
    assert not {key for key in kept if not re.search(r'project.bn.(weight|bias)', key)}, (
        'all other weights and statistics must change'
    )
    with torch.no_grad():
        (sample, _) = model.eval().test_step(pair_batch(**SIZE)['source'])
    assert sample.pred_sem_seg.data.shape == (1, 64, 96)


@pytest.mark.parametrize('config', [SEGFORMER, JPU])
def test_adabn_of_the_control_is_source_only(config):
    """AdaBN equals source-only bit by bit with frozen statistics. Otherwise only the statistics differ."""
    for name, differs in ((f'{config}_frozen', False), (config, True)):
        found = []
        for method in ('SourceOnly', 'AdaBN'):
            model = adaptor(name, method)
            train(model)
            found.append(weights_of(model))
        different = {key for key, value in found[0].items() if not torch.equal(value, found[1][key])}
        statistics = {key for key in found[0] if key.endswith(('running_mean', 'running_var', 'num_batches_tracked'))}
        assert different == (statistics if differs else set()) and statistics


def test_a_mean_feature_is_classified_as_its_pixels():
    """A vector gets the class that a constant map of this vector gets at each pixel, since the head is pointwise."""
    model = adaptor(JPU, 'SIM')
    assert model.feature_channels == 256
    vectors = torch.rand(1, 5, 256)
    maps = vectors[0, :, :, None, None].expand(-1, -1, 6, 7)
    with torch.no_grad():
        predicted = model.decode_head([None, None, maps]).argmax(dim=1)
    assert (predicted == model.classify_vectors(vectors)[0][:, None, None]).all()
