"""MIC: the images that are masked, their masks, and the loss in every method."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmseg.registry import MODELS
from toolbox import NUM_CLASSES, prepared, side, tiny_adaptor, wrappers_of

from mmuda.models import PseudoLabels
from projects.mic import Masking

METHODS = ('MICDACS', 'MICDAFormer', 'MICAdaptSegNet', 'MICMinEnt')
SMALL = dict(block=8, ratio=0.5)


def batch(seed: int = 0, count: int = 2) -> dict:
    return dict(source=side(seed, True, batch_size=count), target=side(seed + 100, False, batch_size=count))


def adaptor(type: str, **kwargs):
    """Return a small method in which every pixel gets a pseudo label, although its teacher has learnt nothing."""
    options = {'masked': SMALL, **host_options(type), **kwargs}
    if not hasattr(MODELS.get(type), 'label_target'):
        options['masked_threshold'] = 0.0
    return tiny_adaptor(type, two_levels=False, **options).train()


def host_options(type: str) -> dict:
    """Return the arguments that the method needs, with or without MIC."""
    if 'AdaptSegNet' in type:
        critic = dict(type='FCDiscriminatorHead', in_channels=NUM_CLASSES, base_channels=2)
        return dict(discriminator=critic, aux_discriminator=None)
    if 'DAFormer' in type:
        return dict(distance_classes=(1, 2), threshold=0.0)
    return dict(threshold=0.0) if 'DACS' in type else {}


def masked(count: int = 2, **settings):
    """Return masked images of a batch, and the batch itself."""
    model = tiny_adaptor('SourceOnly', two_levels=False)
    data = prepared(model, batch(count=count))
    labels = torch.full((count, 40, 56), 3)
    pseudo = PseudoLabels(labels, torch.full(labels.shape, 0.25), torch.tensor(0.25))
    zero, one = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
    masking = Masking(**{**SMALL, 'augment': False, **settings})
    return masking(data['source'], data['target'], pseudo, zero, one), data


def test_blocks_are_hidden_and_the_rest_stays():
    images, data = masked(ratio=0.5)
    hidden = (images.inputs == 0).all(dim=1)
    assert 0.2 < hidden.float().mean() < 0.8
    assert torch.equal(images.inputs, data['target']['inputs'] * ~hidden[:, None])
    blocks = hidden.view(2, 5, 8, 7, 8).float().mean(dim=(2, 4))
    assert set(blocks.flatten().tolist()) == {0.0, 1.0}
    assert masked(ratio=0.0)[0].inputs.ne(0).any() and not masked(ratio=1.0)[0].inputs.any()


def test_whose_images_are_masked():
    images, data = masked(ratio=0.0, images='source')
    assert torch.equal(images.inputs, data['source']['inputs']) and images.weight.eq(1).all()
    assert torch.equal(images.labels[0], data['source']['data_samples'][0].gt_sem_seg.data[0])
    images, data = masked(ratio=0.0)
    assert torch.equal(images.inputs, data['target']['inputs']) and images.weight.eq(0.25).all()
    images, data = masked(count=4, ratio=0.0, images='both')
    assert torch.equal(images.inputs, torch.cat([data[side]['inputs'][:2] for side in ('source', 'target')]))
    assert images.weight[:2].eq(1).all() and images.weight[2:].eq(0.25).all() and images.labels[2:].eq(3).all()
    with pytest.raises(ValueError, match='use a batch size of at least 2'):
        masked(count=1, images='both')


def test_images_are_augmented_before():
    images, data = masked(ratio=0.0, augment=True, augmentation=dict(jitter_probability=1.0))
    assert not torch.equal(images.inputs, data['target']['inputs'])


@pytest.mark.parametrize('settings', [dict(images='mixed'), dict(block=0), dict(ratio=1.5)])
def test_bad_settings_are_errors(settings):
    with pytest.raises(ValueError, match='expected'):
        Masking(**settings)


@pytest.mark.parametrize('type', METHODS)
def test_every_method_trains_with_it(type):
    model = adaptor(type)
    wrappers = wrappers_of(model)
    for seed in range(2):
        logs = model.train_step(batch(seed), wrappers)
    assert logs['loss_masked_main'] > 0 and 'loss_seg_main' in logs
    teacher = model.masked_teacher or model.teacher
    assert teacher.updates.read() == 2


@pytest.mark.parametrize('type', METHODS)
def test_the_weight_counts(type):
    """With weight 0 the loss changes only the statistics of batch-norm."""
    weights = {}
    for weight in (0.0, 1.0):
        model = adaptor(type, loss_weights=dict(masked_main=weight))
        model.train_step(batch(), wrappers_of(model))
        weights[weight] = next(model.segmentor.parameters()).clone()
    assert not torch.equal(*weights.values())
    plain = tiny_adaptor(type.removeprefix('MIC'), two_levels=False, **host_options(type)).train()
    plain.train_step(batch(), wrappers_of(plain))
    assert torch.equal(next(plain.segmentor.parameters()), weights[0.0])


@pytest.mark.parametrize('type', METHODS)
def test_what_the_losses_are_means_over(type):
    mean = 'mixed_mean' if hasattr(MODELS.get(type), 'label_target') else 'masked_mean'
    losses = {}
    for over in ('all', 'labelled'):
        options = dict(source_mean=over, masked=dict(SMALL, images='source', augment=False))
        model = adaptor(type, **{**options, mean: over})
        data = batch()
        for sample in data['source']['data_samples']:
            sample.gt_sem_seg.data[:, :10] = 255  # a quarter of the rows
        share = torch.stack([one.gt_sem_seg.data.ne(255) for one in data['source']['data_samples']]).float().mean()
        losses[over] = model.train_step(data, wrappers_of(model))
    for name in ('loss_seg_main', 'loss_masked_main'):
        assert losses['all'][name] == pytest.approx(float(share * losses['labelled'][name]), rel=1e-5)
    for name in ('source_mean', 'masked_mean'):
        with pytest.raises(ValueError, match=f"{name}='some', expected one of"):
            adaptor(type, **{name: 'some'})


def test_masked_images_can_have_another_mean_than_mixed_ones():
    assert adaptor('MICDACS').masked_mean == 'all' and adaptor('MICMinEnt').masked_mean == 'all'
    model = adaptor('MICDACS', mixed_mean='all', masked_mean='labelled')
    assert (model.mixed_mean, model.masked_mean) == ('all', 'labelled')
    assert adaptor('MICDAFormer', mixed_mean='labelled').masked_mean == 'labelled'


def test_without_the_folder_of_daformer():
    code = (
        'import sys; sys.modules["projects.daformer"] = None; import projects.mic as mic; '
        'assert "MICDAFormer" not in mic.__all__ and not hasattr(mic, "MICDAFormer"); print(mic.MICDACS.__name__)'
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, '-c', code], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith('MICDACS'), done.stderr


def test_a_second_teacher():
    model = adaptor('MICDACS', masked_teacher=dict(decay=0.0), masked_threshold=0.0)
    model.train_step(batch(), wrappers_of(model))
    found = model.label_for_masking(prepared(model, batch())['target'])
    assert found.weight.eq(1).all()
    assert model.masked_teacher is not model.teacher and model.masked_teacher.updates.read() == 1
    with pytest.raises(ValueError, match='give masked_teacher, too'):
        adaptor('MICDACS', masked_threshold=0.5)
    assert adaptor('MICDACS', masked_teacher=dict()).masked_threshold == 0.0


def test_masks_go_on_after_a_resume():
    def masks(model, count: int) -> list:
        return [model.masking.draw(2, torch.Size((40, 56))).blocks for _ in range(count)]

    whole = masks(adaptor('MICMinEnt'), 4)
    first = adaptor('MICMinEnt')
    masks(first, 2)
    resumed = adaptor('MICMinEnt')
    resumed.load_state_dict(first.state_dict())
    assert all(torch.equal(*pair) for pair in zip(masks(resumed, 2), whole[2:], strict=True))
