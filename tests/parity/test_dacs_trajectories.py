"""Iterations of the released DACS, reproduced by our adaptor, optimizer and schedule with stored random numbers."""

from collections import OrderedDict

import numpy as np
import pytest
import standins_dacs  # noqa: F401
import torch
from golden import golden_files, load, scalar, section, steps
from mmengine.optim import PolyLR
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmuda.engine import PerModuleOptimWrapperConstructor
from mmuda.models import DACS
from mmuda.models.teachers import AugmentationDraws, JitterFactors

HYPER = (
    'lr', 'head_factor', 'momentum', 'weight_decay', 'power', 'horizon', 'decay', 'threshold', 'mixed', 'strength',
    'jitter_gate', 'blur_gate',
)  # fmt: skip
CLOSE, LOSS = 2e-5, 1e-5
"""Tolerances of arrays, relative to the largest value, and of losses, from the README of the golden files."""


@MODELS.register_module()
class StoredDACS(DACS):
    """A DACS that uses stored random numbers and records the results of an iteration."""

    def replay(self, step: dict, present: list) -> None:
        self.step, self.present = step, present

    def label_target(self, target):
        self.pseudo = super().label_target(target)
        return self.pseudo

    def mix(self, *args):
        self.mixed = super().mix(*args)
        return self.mixed

    def draw_classes(self, count: int):
        keys = torch.ones(count, 256)
        for j, classes in enumerate(self.present):
            keys[j, torch.from_numpy(classes[self.step[f'choice_index{j}']].astype(np.int64))] = 0
        return keys

    def draw_augmentation(self, count: int):
        step = self.step
        factors = torch.from_numpy(step['factors_bcht']).T
        jitters, blurs = self.augmentation.gates(*step['gates_f64'].tolist())
        return AugmentationDraws(
            JitterFactors(*factors, torch.from_numpy(step['order'])) if jitters else None,
            torch.from_numpy(step['sigma_f64']) if blurs else None,
        )


def close(ours, stored, message: str, tolerance: float = CLOSE) -> None:
    """Compare an array as the README of the golden files defines."""
    ours = np.asarray(ours)
    assert ours.shape == stored.shape, message
    assert np.abs(ours - stored).max() <= tolerance * max(np.abs(stored).max(), 1e-3), message


def build(data: dict) -> tuple:
    """Build the adaptor of a file in its initial state, its optimizers and schedules."""
    hyper = dict(zip(HYPER, data['hyper_f64'].tolist(), strict=True))
    init = section(data, 'init')
    model = MODELS.build(
        dict(
            type='StoredDACS',
            segmentor=dict(type='DACSStandIn', shapes={name: value.shape for name, value in init.items()}),
            data_preprocessor=dict(
                type='DomainPairPreprocessor', mean=data['img_mean_bgr'].tolist(), std=[1.0] * 3, bgr_to_rgb=False
            ),
            teacher=dict(decay=hyper['decay']),
            threshold=hyper['threshold'],
            augmentation=dict(
                strength=hyper['strength'],
                jitter_probability=1 - hyper['jitter_gate'],
                blur_probability=1 - hyper['blur_gate'],
            ),
            loss_weights=dict(mix_main=hyper['mixed']),
        )
    )
    assert model.segmentor.decode_head.out_channels == scalar(data, 'num_classes')
    model.segmentor.load_original(init)
    duplicates = 'multiplicity/conv1.weight' in data
    wrappers = PerModuleOptimWrapperConstructor(
        dict(
            segmentor=dict(
                optimizer=dict(
                    type='LegacySGD' if duplicates else 'SGD',
                    **dict(version='1.9') if duplicates else {},
                    lr=hyper['lr'],
                    momentum=hyper['momentum'],
                    weight_decay=hyper['weight_decay'],
                ),
                repeats='backbone' if duplicates else None,
                paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=hyper['head_factor']))),
            )
        )
    )(model)
    schedule = PolyLR(
        wrappers['segmentor'], power=hyper['power'], begin=0, end=int(hyper['horizon']) + 1, by_epoch=False
    )
    return model, wrappers, schedule


def factor_of_mixed(loss: float, data: dict) -> float:
    """Return the factor of the mixed losses in a file, 1 or their weight, from our loss of the first iteration.

    The README of the files does not say whether the weight is included.
    """
    weight = dict(zip(HYPER, data['hyper_f64'].tolist(), strict=True))['mixed']
    return min(1.0, weight, key=lambda factor: abs(factor * loss - data['loss_mixed'][0]))


def batch(step: dict) -> dict:
    def side(images, labels=None) -> dict:
        samples = [SegDataSample() for _ in images]
        for sample, label in zip(samples, () if labels is None else labels, strict=labels is not None):
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(label.astype(np.int64))[None])
        return dict(inputs=[torch.from_numpy(image) for image in images], data_samples=samples)

    return dict(source=side(step['source_u8'], step['source_label']), target=side(step['target_u8']))


def flat(network, names) -> np.ndarray:
    state = network.to_original()
    return np.concatenate([state[name].detach().numpy().ravel() for name in names.tolist()])


class Gradients:
    """The gradients of the last step of the optimizer."""

    def __init__(self, wrapper, network) -> None:
        self.network, self.seen = network, {}
        wrapper.optimizer.register_step_pre_hook(self)

    def __call__(self, *_) -> None:
        state = self.network.to_original()
        self.seen = OrderedDict((name, p.grad.clone()) for name, p in state.items() if p.grad is not None)


@pytest.mark.parametrize('path', golden_files('dacs', 'trajectory'))
def test_trajectory(path):
    data = load(path)
    model, wrappers, schedule = build(data)
    groups = wrappers['segmentor'].optimizer.param_groups
    multiplicity = section(data, 'multiplicity', optional=True)
    assert bool(multiplicity) == path.stem.endswith('duplicates')
    for name, count in multiplicity.items():
        ours = model.segmentor.to_original()[name]
        assert [group['repeats'] for group in groups if any(p is ours for p in group['params'])] == [count]
    gradients = Gradients(wrappers['segmentor'], model.segmentor)
    model.train()
    mixed_losses = []
    for i in steps(data):
        step = section(data, f'step{i}')
        present = [np.unique(label) for label in step['source_label']]
        for j, classes in enumerate(present):
            np.testing.assert_array_equal(classes[step[f'choice_index{j}']], step[f'chosen_classes{j}'])
        model.replay(step, present)
        logs = model.train_step(batch(step), wrappers)
        schedule.step()

        np.testing.assert_array_equal(model.pseudo.labels.numpy(), step['pseudo_label'])
        close(model.pseudo.share.item(), step['q'], f'{i} q')
        mixed = model.mixed
        np.testing.assert_array_equal(mixed.labels.numpy(), step['mixed_label'])
        close(mixed.weight.sum().item(), step['mixed_weight_sum'], f'{i} weight')
        statistics = torch.stack([mixed.inputs.mean(dim=(1, 2, 3)), mixed.inputs.std(dim=(1, 2, 3), correction=0)], 1)
        close(statistics, step['mixed_image_mean_std'], f'{i} image')
        if 'mixed_image0_every2' in step:
            close(mixed.inputs[0, :, ::2, ::2], step['mixed_image0_every2'], f'{i} image')
        close(logs['loss_seg_main'].item(), data['loss_source'][i], f'{i} loss', LOSS)
        mixed_losses.append(logs['loss_mix_main'].item())
        close(factor_of_mixed(mixed_losses[0], data) * mixed_losses[i], data['loss_mixed'][i], f'{i} loss', LOSS)
        if 'grad_flat' in step:
            ours = torch.cat([gradients.seen[name].flatten() for name in data['grad_names'].tolist()])
            close(ours, step['grad_flat'], f'{i} gradient')
        close(flat(model.segmentor, data['flat_names']), step['student_flat'], f'{i} student')
        close(flat(model.teacher.segmentor, data['flat_names']), step['teacher_flat'], f'{i} teacher')
