"""DACS: the parts of an iteration, its options, its state."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.structures import PixelData
from processes import run_on_processes
from toolbox import labelled_side, optim_cfg, prepared, side, tiny_adaptor, wrappers_of

from mmuda.engine import AdaptorDistributedDataParallel, PerModuleOptimWrapperConstructor
from mmuda.models import DACS
from mmuda.models.teachers import AugmentationDraws, class_mask

PLAIN = AugmentationDraws(None, None)


class Recorded(DACS):
    """A DACS that records the intermediate results of an iteration and does not augment colours."""

    def label_target(self, target):
        self.weights = {name: value.clone() for name, value in self.teacher.segmentor.named_parameters()}
        self.pseudo = super().label_target(target)
        return self.pseudo

    def mix(self, *args):
        self.mixed = super().mix(*args)
        return self.mixed

    def draw_classes(self, count: int):
        self.keys = super().draw_classes(count)
        return self.keys

    def draw_augmentation(self, count: int):
        self.drawn = super().draw_augmentation(count)
        return PLAIN


def dacs(**options):
    return tiny_adaptor(Recorded, two_levels=options.pop('two_levels', False), **options).train()


def pairs(seed: int = 0, size=(40, 56), count: int = 2) -> dict:
    return dict(
        source=labelled_side(seed, count, label_size=size, size=size), target=side(seed + 1, False, size, count)
    )


def train(adaptor, steps: int = 1, seed: int = 0, **kwargs) -> dict:
    wrappers = wrappers_of(adaptor, **kwargs)
    for step in range(steps):
        logs = adaptor.train_step(pairs(seed + step), wrappers)
    return logs


# Mixed images.


@pytest.mark.parametrize('paste_ignored', [True, False])
@pytest.mark.parametrize('classes_of', ['image', 'batch'])
def test_mixed_images_have_the_pixels_and_labels_of_both(classes_of, paste_ignored):
    adaptor = dacs(classes_of=classes_of, paste_ignored=paste_ignored, threshold=0.3)
    train(adaptor)
    source, target = (prepared(adaptor, pairs())[domain] for domain in ('source', 'target'))
    labels = torch.cat([sample.gt_sem_seg.data for sample in source['data_samples']])
    paste = class_mask(labels, adaptor.keys, classes_of, paste_ignored)
    mixed, pseudo = adaptor.mixed, adaptor.pseudo
    assert 0 < paste.float().mean() < 1 and 0 < pseudo.share < 1
    assert torch.equal(mixed.inputs, torch.where(paste[:, None], source['inputs'], target['inputs']))
    assert torch.equal(mixed.labels, torch.where(paste, labels, pseudo.labels))
    assert torch.equal(mixed.weight, torch.where(paste, 1.0, pseudo.share))
    assert (mixed.labels[paste] == 255).any() == paste_ignored


def test_pixels_that_the_target_does_not_trust_weigh_nothing():
    adaptor = dacs(pseudo_weight='one')
    batch = pairs()
    trusted = torch.ones(1, 40, 56, dtype=torch.uint8)
    trusted[:, 30:] = 0
    batch['target']['data_samples'][1].trusted = PixelData(data=trusted)
    adaptor.train_step(batch, wrappers_of(adaptor))
    assert (adaptor.pseudo.weight[0] == 1).all() and torch.equal(adaptor.pseudo.weight[1], trusted[0].float())
    pasted = adaptor.mixed.weight[1, 30:] == 1
    assert 0 < pasted.float().mean() < 1, 'pasted pixels must count there, too'


def test_augmentation_changes_images_alone():
    adaptor = tiny_adaptor(
        'DACS', two_levels=False, augmentation=dict(jitter_probability=1.0, blur_probability=1.0)
    ).train()
    batch = prepared(adaptor, pairs())
    plain = copy.deepcopy(adaptor)
    plain.draw_augmentation = lambda count: PLAIN
    made = []
    for one in (adaptor, plain):
        one.random.advance()
        made.append(one.mix(batch['source'], batch['target'], one.label_target(batch['target'])))
    assert torch.equal(made[0].labels, made[1].labels) and torch.equal(made[0].weight, made[1].weight)
    assert (made[0].inputs - made[1].inputs).abs().mean() > 1


# Losses.


@pytest.mark.parametrize('mixed_mean', ['all', 'labelled'])
@pytest.mark.parametrize('source_mean', ['all', 'labelled'])
def test_losses_and_what_they_are_divided_by(source_mean, mixed_mean):
    adaptor = dacs(source_mean=source_mean, mixed_mean=mixed_mean, threshold=0.3, loss_weights=dict(mix_main=0.5))
    student = copy.deepcopy(adaptor.segmentor)
    logs = train(adaptor)
    source = prepared(adaptor, pairs())['source']
    labels = torch.cat([sample.gt_sem_seg.data for sample in source['data_samples']])
    for name, inputs, truth, weight, mean in (
        ('loss_seg_main', source['inputs'], labels, torch.ones(labels.shape), source_mean),
        ('loss_mix_main', adaptor.mixed.inputs, adaptor.mixed.labels, adaptor.mixed.weight, mixed_mean),
    ):
        logits = student(inputs, mode='outputs').upsample('main')
        pixels = torch.nn.functional.cross_entropy(logits, truth, ignore_index=255, reduction='none') * weight
        count = truth.numel() if mean == 'all' else (truth != 255).sum()
        torch.testing.assert_close(logs[name], (pixels.sum() / count).detach())
    assert logs['confident'] == adaptor.pseudo.share


def test_auxiliary_heads_learn_from_both_with_their_weights():
    adaptor = dacs(two_levels=True)
    logs = train(adaptor)
    assert {'loss_seg_aux', 'loss_seg_main', 'loss_mix_aux', 'loss_mix_main'} <= set(logs)
    assert adaptor.loss_weights == dict(seg_main=1.0, seg_aux=0.1, mix_main=1.0, mix_aux=0.1)


def test_a_batch_without_labels_trains_on_the_target_alone():
    adaptor = dacs(pseudo_weight='one')
    batch = pairs()
    for sample in batch['source']['data_samples']:
        sample.gt_sem_seg.data.fill_(255)
    logs = adaptor.train_step(batch, wrappers_of(adaptor))
    assert logs['loss_seg_main'] == 0 and all(value.isfinite() for value in logs.values())
    assert all(parameter.isfinite().all() for parameter in adaptor.parameters())


# The teacher.


def student_weights(adaptor) -> dict:
    return {name: value.detach().clone() for name, value in adaptor.segmentor.named_parameters()}


def is_average(teacher: dict, weights: list[dict]) -> bool:
    return all(
        torch.allclose(value, sum(one[name] for one in weights) / len(weights), atol=1e-6)
        for name, value in teacher.items()
    )


@pytest.mark.parametrize('moment', ['after_step', 'before_forward'])
def test_the_teacher_labels_with_the_mean_of_all_students_so_far(moment):
    """During the warm-up of its decay, the teacher is the mean of all students after each step or before each pass."""
    adaptor = dacs(teacher_update=moment)
    wrappers, seen = wrappers_of(adaptor, lr=0.1), [student_weights(adaptor)]
    for step in range(4):
        adaptor.train_step(pairs(step), wrappers)
        # After a step, the first average is the student after the first step.
        averaged = seen if moment == 'before_forward' else seen[1:] or seen
        assert is_average(adaptor.weights, averaged), step
        seen.append(student_weights(adaptor))
    assert adaptor.teacher.updates.read() == 4


@pytest.mark.parametrize('moment', ['after_step', 'before_forward'])
def test_gathered_gradients_are_one_step_of_the_average(moment):
    adaptor = dacs(teacher_update=moment)
    wrappers = wrappers_of(adaptor, accumulative_counts=2)
    for step in range(4):
        adaptor.train_step(pairs(step), wrappers)
    assert adaptor.teacher.updates.read() == 2


def test_only_the_segmentor_is_trained_and_the_teacher_keeps_its_mode():
    adaptor = dacs()
    wrappers = wrappers_of(adaptor)
    assert list(wrappers.keys()) == ['segmentor']
    adaptor.train_step(pairs(), wrappers)
    assert not any(parameter.requires_grad for parameter in adaptor.teacher.parameters())
    assert adaptor.teacher.segmentor.training, 'as in the original, the teacher must be in train mode'
    other = dacs(teacher=dict(batch_norm='running', dropout=False))
    assert not other.train().teacher.segmentor.training
    assert other.teacher.decay == 0.99, 'other options must keep the defaults of DACS'


def test_mixed_precision():
    adaptor = dacs()
    logs = train(adaptor, 2, precision='bfloat16')
    assert all(value.isfinite() for value in logs.values())
    assert {value.dtype for value in adaptor.teacher.parameters()} == {torch.float32}


def test_a_resumed_adaptor_goes_on_exactly():
    whole = dacs(threshold=0.3)
    wrappers = wrappers_of(whole)
    for step in range(2):
        whole.train_step(pairs(step), wrappers)
    resumed = dacs(threshold=0.3)
    resumed.load_state_dict(whole.state_dict())
    again = wrappers_of(resumed)
    again.load_state_dict(copy.deepcopy(wrappers.state_dict()))
    for step in range(2, 4):
        whole.train_step(pairs(step), wrappers)
        resumed.train_step(pairs(step), again)
        assert torch.equal(whole.keys, resumed.keys)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


# Synchronisation with the device.


def test_a_step_looks_at_no_value_of_the_device():
    """A step reads no value of the device. On PyTorch's meta device, which has no values, this would raise."""
    adaptor = tiny_adaptor(
        'DACS',
        two_levels=False,
        augmentation=dict(jitter_probability=1.0, blur_probability=1.0),
        data_preprocessor=dict(type='DomainPairPreprocessor', mean=[104.0, 116.0, 122.0], std=[1.0, 2.0, 3.0]),
    ).train()
    wrappers = wrappers_of(adaptor)
    first = adaptor.train_step(pairs(), wrappers)  # the first step reads the counters
    counters = [adaptor.teacher.updates, adaptor.random.iterations]
    values = [counter.value for counter in counters]
    adaptor.to('meta')
    for counter, value in zip(counters, values, strict=True):
        counter.value = value
    wrappers = PerModuleOptimWrapperConstructor(optim_cfg(adaptor))(adaptor)
    batch = pairs()
    for domain in batch.values():
        domain['inputs'] = [image.to('meta') for image in domain['inputs']]
        domain['data_samples'] = [sample.to('meta') for sample in domain['data_samples']]
        domain['data_samples'][0].trusted = PixelData(data=torch.ones(1, 40, 56, device='meta'))
    logs = adaptor.train_step(batch, wrappers)
    assert logs.keys() == first.keys() and all(value.is_meta for value in logs.values())
    with pytest.raises(RuntimeError, match='meta'):
        logs['loss_mix_main'].item()
    assert adaptor.teacher.updates.read() == 2


# Errors.


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(classes_of='both'), "classes_of='both', expected one of"),
        (dict(pseudo_weight='entropy'), "pseudo_weight='entropy', expected one of"),
        (dict(teacher_update='never'), "teacher_update='never', expected one of"),
        (dict(mixed_mean='none'), "mixed_mean='none', expected one of"),
        (dict(source_mean='none'), "source_mean='none', expected one of"),
        (dict(loss_weights=dict(mix=1.0)), r"unknown loss_weights \['mix'\]"),
    ],
)
def test_wrong_options_are_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        dacs(**options)


@pytest.mark.parametrize(
    'target, message',
    [
        (dict(size=(48, 40), batch_size=2), r'the source has 2 of \(40, 56\) \(H, W\) and the target 2 of \(48, 40\)'),
        (dict(size=(40, 56), batch_size=3), r'the source has 2 of .* the target 3 of'),
    ],
)
def test_images_of_both_domains_must_fit_on_each_other(target, message):
    adaptor = dacs()
    with pytest.raises(ValueError, match=message):
        adaptor.train_step(dict(source=pairs()['source'], target=side(1, False, **target)), wrappers_of(adaptor))


def test_labels_must_have_the_size_of_their_images():
    adaptor = dacs()
    batch = dict(source=labelled_side(0, 2, label_size=(20, 28)), target=side(1, False))
    with pytest.raises(ValueError, match=r'the label map is \(20, 28\), but the image \(40, 56\)'):
        adaptor.train_step(batch, wrappers_of(adaptor))


# Two processes.


class Given(DACS):
    """A DACS with given random numbers for each image, and equal weights of all pseudo labels."""

    first = 0

    def draw_classes(self, count: int):
        keys = torch.rand(4, 256, generator=torch.Generator().manual_seed(int(self.random.iterations.value)))
        return keys[self.first : self.first + count]

    def draw_augmentation(self, count: int):
        return PLAIN


def given():
    # Otherwise, batch-norm statistics and numbers of labelled pixels would differ between the processes.
    return tiny_adaptor(Given, two_levels=False, pseudo_weight='one', source_mean='all').eval()


def on_a_process(rank: int) -> dict:
    adaptor = given()
    adaptor.first = 2 * rank
    if rank:
        for parameter in adaptor.segmentor.parameters():
            parameter.data.zero_()  # the wrapper must copy the weights of rank 0
    model = AdaptorDistributedDataParallel(adaptor)
    wrappers = PerModuleOptimWrapperConstructor(optim_cfg(given()))(model)
    for step in range(3):
        batch = pairs(step, count=4)
        for domain in batch.values():
            for key in domain:
                domain[key] = domain[key][2 * rank : 2 * rank + 2]
        model.train_step(batch, wrappers)
    return model.module.state_dict()


def test_two_processes_equal_one_with_the_whole_batch(tmp_path: Path):
    adaptor = given()
    wrappers = wrappers_of(adaptor)
    for step in range(3):
        adaptor.train_step(pairs(step, count=4), wrappers)
    first, second = run_on_processes(on_a_process, tmp_path)
    assert first.keys() == second.keys() == adaptor.state_dict().keys(), 'wrappers must not change the names of weights'
    for name, value in adaptor.state_dict().items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], value, rtol=1e-3, atol=1e-5)
    moved = first['teacher.segmentor.backbone.conv1.weight'] - given().segmentor.backbone.conv1.weight
    assert moved.abs().max() > 1e-4 and first['teacher.updates.value'] == 3
