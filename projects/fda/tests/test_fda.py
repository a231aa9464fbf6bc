"""FDA: styled pairs, the entropy by hand and its first iteration, rounds, and the mean of networks."""

import json
import math
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from shipped import reduced
from toolbox import labelled_side, side, tiny_adaptor, tiny_segmentor, wrappers_of

from mmuda.checkpoints import write_checkpoint
from mmuda.datasets import DomainPairDataset
from mmuda.engine.launch import load_config
from mmuda.labeling import ExactConfidences
from mmuda.stages import TrainStage, build_stages, network_config
from projects.fda import (
    FCNVGG16,
    BandLabelStage,
    BandRounds,
    FCN8sHead,
    ProbabilityEnsemble,
    QuantileCap,
    StyledPairDataset,
    robust_entropy,
    swap_spectrum,
    window_bounds,
)

CONFIGS = Path(__file__).parents[1] / 'configs'


# Spectra.


@pytest.mark.parametrize('size', [(32, 48), (31, 47)])
def test_nothing_is_exchanged_with_oneself(size):
    image = torch.rand(2, 3, *size) * 255
    for window in ('released', 'symmetric'):
        torch.testing.assert_close(swap_spectrum(image, image, 0.2, window), image, rtol=0, atol=1e-3)
    torch.testing.assert_close(swap_spectrum(image, image.flip(0), 0.0), image, rtol=0, atol=1e-3)


def test_the_mean_is_that_of_the_target():
    source, target = torch.rand(1, 1, 16, 16) * 100, 100 + torch.rand(1, 1, 16, 16) * 100
    for window in ('released', 'symmetric'):
        assert swap_spectrum(source, target, 0.1, window).mean() == pytest.approx(target.mean().item(), rel=1e-4)


def exchanged(size, beta, window='released'):
    """Return the frequencies that are exchanged, as a mask of the half spectrum."""
    first, last, columns = window_bounds(size, beta, window)
    chosen = torch.zeros(size[0], size[1] // 2 + 1, dtype=torch.bool)
    chosen[:first, :columns] = chosen[last:, :columns] = True
    return chosen


def test_symmetric_windows_are_symmetric():
    chosen = exchanged((12, 10), 0.2, 'symmetric')
    assert torch.equal(chosen[1:], chosen[1:].flip(0)) and chosen.sum() == 5 * 3
    assert exchanged((12, 10), 0.2).sum() == 4 * 2
    with pytest.raises(ValueError, match="window='round' and beta=0.2: expected a window of"):
        window_bounds((12, 10), 0.2, 'round')
    with pytest.raises(ValueError, match='resize and crop both to one size'):
        swap_spectrum(torch.rand(3, 4, 4), torch.rand(3, 4, 5), 0.1)


def pairs(data_roots, **kwargs):
    init_default_scope('mmseg')
    cfg = reduced(CONFIGS / 'carla2camvid.py', Path('unused'), data_roots).train_dataloader.dataset
    cfg.update(kwargs)
    return cfg


def test_a_pair_is_a_pure_function_of_its_number(data_roots):
    cfg = pairs(data_roots, beta=0.1)
    dataset = DATASETS.build(cfg)
    first, again = dataset[(5, 1, 2)], DATASETS.build(cfg)[(5, 1, 2)]
    assert torch.equal(first['source']['inputs'], again['source']['inputs'])
    plain = Config(dict(cfg)).to_dict()
    for key in ('beta', 'type'):
        plain.pop(key)
    plain = DomainPairDataset(plain['source'], plain['target'])[(5, 1, 2)]
    assert torch.equal(first['target']['inputs'], plain['target']['inputs']), 'the target stays as it is'
    wanted = swap_spectrum(plain['source']['inputs'].float(), plain['target']['inputs'].float(), 0.1)
    assert torch.equal(first['source']['inputs'], wanted) and wanted.dtype == torch.float32


def test_other_images_may_give_the_style(data_roots):
    cfg = pairs(data_roots, beta=0.1)
    cfg.style = cfg.target
    dataset = DATASETS.build(cfg)
    styles = [dataset.read_style(n) for n in range(6)]
    count = len(dataset.style)
    found = {style.sum().item() for style in styles[:count]}
    assert len(found) == count, 'each image once in a pass'
    assert torch.equal(styles[4], DATASETS.build(cfg).read_style(4))


def test_images_of_different_sizes_are_an_error(data_roots):
    cfg = pairs(data_roots)
    cfg.target.pipeline[1] = dict(type='Resize', scale=(32, 24), keep_ratio=False)
    height, width = next(step.size for step in cfg.source.pipeline if 'size' in step)
    with pytest.raises(ValueError, match=rf'has shape \(3, {height}, {width}\) and its style image \(3, 24, 32\)'):
        DATASETS.build(cfg)[(0, 0, 0)]


# The method.


def test_entropy_by_hand():
    logits = torch.tensor([[0.0, 50.0], [0.0, 0.0]]).view(1, 2, 1, 2)  # uncertain, certain
    assert robust_entropy(logits, 2.0).item() == pytest.approx((1 + 1e-8) ** 2 / 2, rel=1e-6)
    assert robust_entropy(logits, 2.0, norm=2.9444).item() == pytest.approx((math.log(2) / 2.9444) ** 4 / 2, rel=1e-5)


def batch(labelled: bool = False) -> dict:
    return dict(source=side(0, True), target=labelled_side(1, 2) if labelled else side(1, False))


def test_when_the_entropy_counts():
    logs = {}
    for after in (-1, 0):
        model = tiny_adaptor('FDA', two_levels=False, entropy_after=after, loss_weights=dict(ent_main=10.0)).train()
        wrappers = wrappers_of(model)
        logs[after] = [model.train_step(batch(), wrappers) for _ in range(2)]
        assert model.iterations.read() == 2
    first = [logs[after][0]['loss_ent_main'] for after in logs]
    assert torch.equal(*first), 'it is logged all the same'
    second = [logs[after][1]['loss_seg_main'] for after in logs]
    assert not torch.equal(*second), 'one of them learnt from it'


def test_pseudo_labels_are_learnt():
    model = tiny_adaptor('FDA', two_levels=False, pseudo_labels=True).train()
    logs = model.train_step(batch(labelled=True), wrappers_of(model))
    assert {'loss_seg_main', 'loss_pseudo_main', 'loss_ent_main'} <= set(logs)


# The smaller network.


@pytest.mark.parametrize('size', [(64, 96), (47, 65)])
def test_logits_of_fcn8s_have_the_size_of_the_image(size):
    maps = FCNVGG16(base_channels=2, fc_channels=6)(torch.rand(1, 3, *size))
    sides = [[-(-side // stride) for side in size] for stride in (8, 16, 32)]
    assert [tuple(one.shape[1:]) for one in maps] == [(8, *sides[0]), (16, *sides[1]), (6, *sides[2])]
    logits = FCN8sHead([8, 16, 6], num_classes=5)(maps)
    assert tuple(logits.shape) == (1, 5, 8 * sides[0][0], 8 * sides[0][1])


def test_fcn8s_adds_scaled_skips():
    head = FCN8sHead([1, 1, 1], num_classes=2)
    for score in head.scores:
        torch.nn.init.ones_(score.weight)
        torch.nn.init.zeros_(score.bias)
    coarse = torch.tensor([[[[0.0, 8.0]]]])
    maps = (torch.full((1, 1, 4, 8), 1e4), torch.full((1, 1, 2, 4), 2e2), coarse)
    logits = head(maps).detach()
    assert logits.shape == (1, 2, 32, 64)
    across = logits[0, 1, 16]
    assert across[[0, 63]].tolist() == pytest.approx([3, 11]), (
        'a corner of the finest map, of the middle and the coarse'
    )
    torch.testing.assert_close(across + across.flip(0), torch.full((64,), 14.0))
    assert (across[8:56].diff() > 0).all(), 'enlarged with a slope'


def test_fcn8s_starts_from_a_file_of_torchvision(tmp_path):
    backbone = FCNVGG16(base_channels=2, fc_channels=6)
    given = {name: torch.rand_like(value) for name, value in backbone.state_dict().items()}
    flat = {
        name: value.flatten(1) if 'classifier' in name and value.ndim > 1 else value for name, value in given.items()
    }
    flat |= {'classifier.6.weight': torch.rand(10, 6), 'classifier.6.bias': torch.rand(10)}
    torch.save(flat, tmp_path / 'vgg16.pth')
    init_cfg = dict(type='StrictPretrained', checkpoint=str(tmp_path / 'vgg16.pth'))
    started = FCNVGG16(base_channels=2, fc_channels=6, init_cfg=init_cfg)
    started.init_weights()
    assert all(torch.equal(value, given[name]) for name, value in started.state_dict().items())
    convolutions = [f'features.{n}' for n in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)]
    layers = [*convolutions, 'classifier.0', 'classifier.3']
    assert set(given) == {f'{layer}.{part}' for layer in layers for part in ('weight', 'bias')}, (
        'the names of torchvision'
    )


# Several networks.


def test_thresholds():
    strategy = QuantileCap(0.66, 0.9, exact=True)
    statistics = ExactConfidences(4)
    statistics.add(torch.tensor([[0.2, 0.4, 0.6, 0.99]]), torch.tensor([[0, 0, 0, 1]]))
    # Three confidences: the one at rint(1.98) = 2; a single one: itself, capped; none: 0.
    np.testing.assert_allclose(strategy.thresholds(statistics), [0.6, 0.9, 0, 0], rtol=1e-6)
    with pytest.raises(ValueError, match='share=1.5'):
        QuantileCap(1.5)


def test_the_mean_of_probabilities():
    cfg = dict(
        type='FDA',
        segmentor=dict(tiny_segmentor(two_levels=False), type='SoftEncoderDecoder'),
        data_preprocessor=dict(type='DomainPairPreprocessor'),
    )
    torch.manual_seed(0)
    ensemble = ProbabilityEnsemble([cfg, cfg], weights=[0.25, 0.75]).eval()
    with torch.no_grad():
        (merged, _) = ensemble.test_step(side(0, False))
        single = [model.probabilities(side(0, False)) for model in ensemble.models]
    wanted = 0.25 * single[0][0] + 0.75 * single[1][0]
    torch.testing.assert_close(merged.seg_logits.data.exp(), wanted)
    assert torch.equal(merged.pred_sem_seg.data[0], merged.seg_logits.data.argmax(0))
    assert not torch.equal(*(maps[0] for maps in single))


def test_probabilities_are_enlarged_for_images_and_logits_for_labels():
    model = tiny_adaptor('FDA', segmentor=dict(tiny_segmentor(two_levels=False), type='SoftEncoderDecoder')).eval()
    with torch.no_grad():
        image, label = (model.probabilities(side(0, False), at=at)[0] for at in ('image', 'input'))
    assert image.shape == label.shape and not torch.allclose(image, label)
    for probs in (image, label):
        torch.testing.assert_close(probs.sum(dim=0), torch.ones(probs.shape[1:]))


def test_rounds_stand_for_trainings_and_labellings():
    stages = BandRounds(
        'rounds',
        label=dict(strategy=dict(type='QuantileCap')),
        train=dict(model=dict(pseudo_labels=True), train_dataloader=dict(dataset=dict(target='{label}'))),
        betas=(0.01, 0.05),
        num_rounds=1,
    ).expand()
    names = ['rounds/0/0.01', 'rounds/0/0.05', 'rounds/0/label', 'rounds/1/0.01', 'rounds/1/0.05']
    assert [stage.name for stage in stages] == names
    label, last = stages[2], stages[-1]
    assert isinstance(label, BandLabelStage) and label.bands == ['{rounds/0/0.01}', '{rounds/0/0.05}']
    assert isinstance(last, TrainStage) and last.weights is None, 'every network starts anew'
    assert last.overrides == dict(
        model=dict(pseudo_labels=True), train_dataloader=dict(dataset=dict(target='{rounds/0/label}', beta=0.05))
    )
    with pytest.raises(ValueError, match='expected at least one number, and no number twice'):
        BandRounds('rounds', {}, {}, betas=(0.1, 0.1))
    with pytest.raises(ValueError, match='there are 2 models but 1 weights'):
        BandLabelStage('label', ['a.pth', 'b.pth'], [1.0], strategy=dict(type='QuantileCap'))


def test_the_paper_has_two_rounds():
    names = [stage.name for stage in build_stages(load_config(CONFIGS / 'gta2city.py'))]
    assert len(names) == 11 and names[-1] == 'rounds/2/0.09'
    assert StyledPairDataset.__init__.__kwdefaults__['window'] == 'released'


def test_several_checkpoints_are_tested_together(tmp_path, minicity, monkeypatch):
    """tools/test.py CONFIG A.pth B.pth tests the ensemble that the config names, here with two equal networks."""
    config = tmp_path / 'tiny.py'
    config.write_text(f"""
_base_ = {str(CONFIGS / 'minicity.py')!r}
model = dict(segmentor=dict(backbone=dict(base_channels=4, stem_channels=4), decode_head=dict(in_channels=32)))
test_dataloader = dict(dataset=dict(data_root={str(minicity / 'target')!r}))
""")
    init_default_scope('mmseg')
    model = MODELS.build(network_config(load_config(config)).model)
    write_checkpoint(tmp_path / 'one.pth', dict(state_dict=model.state_dict()))

    def score(*checkpoints: str, weights: tuple = ()) -> float:
        command = [str(config), *(str(tmp_path / name) for name in checkpoints), '--work-dir', str(tmp_path / 'out')]
        monkeypatch.syspath_prepend(CONFIGS.parents[2] / 'tools')
        monkeypatch.setattr(sys, 'argv', ['test.py', *command, *(('--weights', *weights) if weights else ())])
        runpy.run_path(str(CONFIGS.parents[2] / 'tools/test.py'), run_name='__main__')
        (found,) = (tmp_path / 'out').glob('ensemble.json' if len(checkpoints) > 1 else 'one.json')
        return json.loads(found.read_text())['metrics']['mIoU']

    alone = score('one.pth')
    built = []
    monkeypatch.setattr(
        ProbabilityEnsemble,
        'vote',
        lambda self, sample, vote=ProbabilityEnsemble.vote: (built.append(self.weights), vote(self, sample))[1],
    )
    assert score('one.pth', 'one.pth') == pytest.approx(alone) and built[0] == [0.5, 0.5]
    built.clear()
    assert score('one.pth', 'one.pth', weights=('0.25', '0.75')) == pytest.approx(alone)
    assert built[0] == [0.25, 0.75]
