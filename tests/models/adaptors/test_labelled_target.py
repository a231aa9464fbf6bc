"""Labelled target images, which every method trains on like source images."""

import copy
import re

import pytest
import torch
from toolbox import NUM_CLASSES, labelled_side, side, tiny_adaptor, tiny_config, wrappers_of
from trainings import Interrupt, assert_same, final_weights, train

CRITIC = dict(type='PixelDiscriminatorHead', in_channels=32, num_classes=NUM_CLASSES, channels=(8, 4))
METHODS = dict(
    SourceOnly=dict(loss_weights=dict(lov_main=0.5)),
    ADVENT=dict(),
    DACS=dict(source_mean='all', threshold=0.3),
    FADA=dict(two_levels=False, discriminator=CRITIC, temperature=0.5),
    SDCA=dict(two_levels=False),
)


def method(name: str, weight: float | None = None):
    options = copy.deepcopy(METHODS[name])
    if weight is not None:
        options.setdefault('loss_weights', {})['target_labelled'] = weight
    return tiny_adaptor(name, **options)


def batch(**more) -> dict:
    return copy.deepcopy(dict(source=labelled_side(1, 2), target=side(2, False), **more))


LABELLED = labelled_side(3, 2, ignored=0.6)


@pytest.mark.parametrize('name', METHODS)
def test_losses_are_those_of_the_source(name):
    """Losses on labelled target images equal those on the same images as source, with a learning rate of zero."""
    adaptor = method(name).eval()
    wrappers = wrappers_of(adaptor, lr=0.0)
    logs = adaptor.train_step(batch(target_labelled=LABELLED), wrappers)
    ours = {key.removesuffix('_target_labelled'): value for key, value in logs.items() if key.endswith('_labelled')}
    as_source = method(name).eval().train_step({**batch(), 'source': copy.deepcopy(LABELLED)}, wrappers)
    assert ours and 'loss_seg_main' in ours and ('loss_lov_main' in ours) == (name in ('SourceOnly', 'SDCA'))
    assert ours == {key: as_source[key] for key in ours}
    assert logs['loss_seg_main'] != as_source['loss_seg_main']


def gradients(weight: float | None, labelled: bool = True) -> dict:
    """Return the changes of all weights in one step with the learning rate 1."""
    adaptor = method('ADVENT', weight).eval()
    before = copy.deepcopy(adaptor.state_dict())
    data = batch(target_labelled=LABELLED) if labelled else batch()
    adaptor.train_step(data, wrappers_of(adaptor, lr=1.0))
    return {name: value - before[name] for name, value in adaptor.state_dict().items() if value.is_floating_point()}


def test_the_weight_multiplies_the_gradients():
    absent, zero, one, two = (gradients(*case) for case in ((None, False), (0.0,), (None,), (2.0,)))
    for name, value in absent.items():
        torch.testing.assert_close(zero[name], value, atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(two[name] - value, 2 * (one[name] - value), atol=1e-5, rtol=1e-3)
    moved = {name for name in absent if (one[name] - absent[name]).abs().max() > 1e-6}
    assert moved and all(name.startswith('segmentor.') for name in moved)


def test_they_are_learnt_before_the_step_and_what_follows_it():
    """Labelled target images are trained on before the optimizer step and the update of the teacher after it."""
    adaptor, without = method('DACS').train(), method('DACS').train()
    adaptor.train_step(batch(target_labelled=LABELLED), wrappers_of(adaptor))
    without.train_step(batch(), wrappers_of(without))
    weights, other = (dict(model.segmentor.named_parameters()) for model in (adaptor, without))
    assert all(torch.equal(value, weights[name]) for name, value in adaptor.teacher.segmentor.named_parameters())
    assert any(not torch.equal(value, other[name]) for name, value in weights.items())
    assert adaptor.teacher.updates.read() == 1


def test_pictures_show_them():
    adaptor = method('SourceOnly').train()
    adaptor.shown = {}
    adaptor.train_step(batch(target_labelled=LABELLED), wrappers_of(adaptor))
    assert {f'target_labelled {kind}' for kind in ('image', 'label', 'prediction')} <= set(adaptor.shown)


def test_a_resumed_run_is_exact_and_images_of_the_validation_are_told(minicity, tmp_path, capsys):
    def config(folder):
        cfg = tiny_config('source_only', minicity, folder, iters=4)
        steps = cfg.train_dataloader.dataset.source.pipeline[:1] + cfg.val_dataloader.dataset.pipeline[1:]
        few = dict(cfg.val_dataloader.dataset, pipeline=steps, indices=3, test_mode=False)
        cfg.train_dataloader.dataset.target_labelled = few
        return cfg

    train(config(tmp_path / 'whole'))
    assert re.search(
        '3 images of target_labelled are used for validation as well.*_leftImg8bit.png', capsys.readouterr().out
    )
    with pytest.raises(KeyboardInterrupt):
        train(config(tmp_path / 'cut'), Interrupt(3))
    cfg = config(tmp_path / 'cut')
    cfg.resume = True
    train(cfg)
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut'))
    cfg.train_dataloader.dataset.target_labelled.indices = 2
    with pytest.raises(RuntimeError, match='target_labelled'):
        train(cfg)
