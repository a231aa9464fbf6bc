"""MIC, compared with stored values of the original: the masked loss, and whole iterations with DAFormer and HRDA."""

import numpy as np
import pytest
import torch
from golden import golden_files, load, scalar, section, steps
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from replay import Replayed, adamw, check_groups, check_length, domain, without_rows
from standins_hrda import PLAIN_LOSS, hrda_segmentor, load_state, shapes_of, state_of
from torch import Tensor

from mmuda.engine import PerModuleOptimWrapperConstructor
from mmuda.models import PseudoLabels
from mmuda.models.adaptors import pixel_losses
from mmuda.models.teachers import AugmentationDraws, JitterFactors
from projects.mic import Masking, MICDAFormer
from projects.mic.masking import MaskDraws

CLOSE, FINAL = 1e-5, 2e-5
"""Tolerances of images, losses and states, relative to 1 + the largest value."""
TIES = 2
"""Number of pixels of a label map that can differ."""
MODES = dict(target='trg', source='src', both='')
"""The original's names (after ``separate``) of the masked images, by our names."""


def close(ours, stored, message: str, tolerance: float = CLOSE) -> None:
    ours, stored = np.asarray(ours.detach() if isinstance(ours, Tensor) else ours), np.asarray(stored)
    assert ours.shape == stored.shape, message
    apart = np.abs(ours - stored).max() / (1 + np.abs(stored).max())
    assert apart <= tolerance, (message, apart)


def same_labels(ours: Tensor, stored: np.ndarray, message: str) -> None:
    assert (ours.numpy() != stored).sum(axis=(1, 2)).max() <= TIES, message


def masking_of(mode: str) -> dict:
    """Return our settings for a mode of the original."""
    assert mode.startswith('separate')
    augment = mode.endswith('aug')
    whose = mode.removeprefix('separate').removesuffix('aug')
    return dict(images=next(ours for ours, theirs in MODES.items() if theirs == whose), augment=augment)


def n1(shapes: dict) -> dict:
    """Return the config of N1."""
    classes, channels = shapes['decode_head.conv_seg.weight'][:2]
    backbone = {name.removeprefix('backbone.'): shape for name, shape in shapes.items() if name.startswith('backbone.')}
    return dict(
        type='AdaptiveEncoderDecoder',
        backbone=dict(type='AllButFirst', shapes=backbone),
        decode_head=dict(
            type='OneConvolutionHead',
            in_channels=shapes['decode_head.conv.weight'][1],
            channels=channels,
            num_classes=classes,
            align_corners=False,
            loss_decode=PLAIN_LOSS,
        ),
    )


def preprocessor(data: dict) -> dict:
    return dict(type='DomainPairPreprocessor', mean=data['mean'].tolist(), std=data['std'].tolist(), bgr_to_rgb=False)


def factors(case: dict, count: int) -> JitterFactors:
    """Return the factors of a batch, in which all images have the same order of operations."""
    values = [torch.from_numpy(case[f'{key}_factor']) for key in ('brightness', 'contrast', 'hue', 'saturation')]
    return JitterFactors(*values, torch.from_numpy(case['order']).expand(count, 4))


def mask_draws(case: dict, count: int) -> MaskDraws:
    sigma = scalar(case, 'sigma_f64')
    augmentation = AugmentationDraws(
        factors(case, count) if case['jitter_applied'] == 1 else None,
        None if np.isnan(sigma) else torch.tensor([sigma]).expand(count),
    )
    return MaskDraws(augmentation, torch.from_numpy(case['u']))


@pytest.mark.parametrize('path', golden_files('mic', 'masked_loss'))
def test_masked_loss(path):
    data = load(path)
    init_default_scope('mmseg')
    state = section(data, 'state')
    assert len(data['modes'])
    for mode in data['modes'].tolist():
        case = section(data, mode)
        model = MODELS.build(
            dict(
                type='MICDACS',
                segmentor=n1(shapes_of(state)),
                data_preprocessor=preprocessor(data),
                masked=dict(block=scalar(case, 'block'), ratio=scalar(case, 'ratio_f64'), **masking_of(mode)),
                loss_weights=dict(masked_main=scalar(case, 'mask_lambda_f64')),
            )
        ).train()
        load_state(model.segmentor, state)
        batch = dict(source=domain(data['src_image'], data['src_label'][:, 0]), target=domain(data['trg_image']))
        batch = model.data_preprocessor(batch, training=True)
        check_gates(model.masking, case)
        model.masking.draw = lambda count, size, case=case: mask_draws(case, count)
        pseudo = PseudoLabels(
            torch.from_numpy(data['pseudo_label'].astype(np.int64)), torch.from_numpy(data['pseudo_weight']), None
        )
        images = model.masking(
            batch['source'], batch['target'], pseudo, model.data_preprocessor.mean, model.data_preprocessor.std
        )
        close(images.inputs[:, :, ::2, ::2], case['network_input_every2'], f'{mode} images')
        np.testing.assert_array_equal(images.labels, case['labels'], err_msg=mode)
        np.testing.assert_array_equal(images.weight, case['weights'], err_msg=mode)
        (loss,) = pixel_losses(model, 'masked', images).values()
        close(loss, case['loss'], f'{mode} loss')
        loss.backward()
        ours = model.segmentor.decode_head.conv_seg.weight.grad
        stored = case['grad_conv_seg_weight']
        assert np.abs(ours.numpy() - stored).max() <= 1e-5 * np.abs(stored).max(), mode


def check_gates(masking: Masking, case: dict) -> None:
    """Check that the stored random numbers select the augmentations of the original."""
    drawn = scalar(case, 'u_jitter_f64'), scalar(case, 'u_blur_f64')
    assert (masking.augmentation is None) == np.isnan(drawn[0])
    if masking.augmentation is not None:
        opened = masking.augmentation.gates(*drawn)
        assert opened == (case['jitter_applied'] == 1, not np.isnan(case['sigma_f64']))


@MODELS.register_module()
class ReplayedMIC(MICDAFormer, Replayed):
    def masked_losses(self, source, target, pseudo):
        self.masked_images = None
        forward = self.masking.forward

        def keep(*args):
            self.masked_images = forward(*args)
            return self.masked_images

        self.masking.forward = keep
        losses = super().masked_losses(source, target, pseudo)
        self.masking.forward = forward
        return losses


def build(data: dict, hyper: dict) -> tuple:
    init, classes = section(data, 'init'), data['fd_classes'].tolist()
    threshold = hyper['pseudo_threshold']
    of_hrda = 'hr_crop_hw' in data
    detail = scalar(data, 'hr_loss_weight_f64', 0.0)
    weights = {f'{term}_main': 1 - detail for term in ('seg', 'mix')}
    weights['masked_main'] = (1 - detail) * hyper['mask_lambda']
    if of_hrda:
        weights |= {f'{term}_detail': detail for term in ('seg', 'mix', 'masked')}
        network = hrda_segmentor(
            shapes_of(init),
            data['aspp_dilations'].tolist(),
            4,
            data['hr_crop_hw'].tolist(),
            divisor=scalar(data, 'divisor'),
        )
    else:
        network = n1(shapes_of(init))
    init_default_scope('mmseg')
    model = MODELS.build(
        dict(
            type='ReplayedMIC',
            segmentor=network,
            data_preprocessor=preprocessor(data),
            teacher=dict(decay=hyper['alpha'], mode='sliding' if of_hrda else 'outputs'),
            threshold=threshold,
            pseudo_weight='one' if np.isnan(threshold) else 'share',
            distance_classes=None if classes == [-1] else classes,
            distance_ratio=hyper['fd_min_ratio'],
            augmentation=dict(strength=hyper['jitter_strength'], jitter_probability=0.8, blur_probability=0.5),
            masked=dict(
                block=int(hyper['mask_block']), ratio=hyper['mask_ratio'], **masking_of(data['mask_mode'].item())
            ),
            loss_weights=dict(weights, distance=hyper['fd_lambda']),
        )
    )
    assert model.num_classes == scalar(data, 'num_classes')
    load_state(model.segmentor, init)
    if hyper['fd_lambda']:
        load_state(model.imagenet.segmentor.backbone, section(data, 'imnet'))
    optimizer = dict(
        lr=hyper['lr'],
        beta1=0.9,
        beta2=0.999,
        weight_decay=hyper['weight_decay'],
        head_factor=data['lr_per_parameter_f64'].max() / hyper['lr'],
    )
    return model, PerModuleOptimWrapperConstructor(adamw(optimizer))(model)


def mixing_draws(step: dict, count: int) -> AugmentationDraws:
    images = [section(step, f'mix{j}') for j in range(count)]
    jitter = sigma = None
    if images[0]['jitter_applied'] == 1:
        of_each = [factors(image, 1) for image in images]
        jitter = JitterFactors(*(torch.cat(values) for values in zip(*of_each, strict=True)))
    sigmas = [scalar(image, 'sigma_f64') for image in images]
    if not np.isnan(sigmas[0]):
        sigma = torch.tensor(sigmas)
    return AugmentationDraws(jitter, sigma)


@pytest.mark.parametrize('path', golden_files('mic', 'trajectory'))
def test_trajectory(path):
    data = load(path)
    hyper = dict(zip(data['hyper_names'].tolist(), data['hyper_f64'].tolist(), strict=True))
    model, wrappers = build(data, hyper)
    network, teacher = model.segmentor, model.teacher.segmentor
    check_groups(wrappers['segmentor'].optimizer, network, data)
    for i in steps(data):
        step = section(data, f'it{i}')
        count = len(data[f'src_image{i}'])
        gates = scalar(step, 'u_jitter_mix_f64'), scalar(step, 'u_blur_mix_f64')
        mixing = mixing_draws(step, count)
        assert model.augmentation.gates(*gates) == (mixing.jitter is not None, mixing.sigma is not None)
        model.replay([section(step, f'mix{j}')['chosen_classes'] for j in range(count)], mixing)
        masked = section(step, 'masked')
        masked |= {name: step[f'{name.removesuffix("_f64")}_masked_f64'] for name in ('u_jitter_f64', 'u_blur_f64')}
        check_gates(model.masking, masked)
        model.masking.draw = lambda count, size, case=masked: mask_draws(case, count)
        boxes = step.get('box_draws_src_mix_masked_y_x', np.empty(0))
        boxes = iter(boxes[boxes >= 0].tolist())  # -1: no draw
        network.draw_integer = lambda bound, boxes=boxes: next(boxes)
        rows = int(hyper['ignore_top']), int(hyper['ignore_bottom'])
        of_file = scalar(data, 'use_valid_mask')
        trusted = data[f'valid_mask{i}'] if of_file else without_rows(data[f'trg_image{i}'], *rows)
        model.train()
        logs = model.train_step(
            dict(
                source=domain(data[f'src_image{i}'], data[f'src_label{i}'][:, 0]),
                target=domain(data[f'trg_image{i}'], trusted=trusted),
            ),
            wrappers,
        )
        assert next(boxes, None) is None

        same_labels(model.pseudo.labels, step['pseudo_label'], f'{i} pseudo labels')
        close(model.pseudo.weight.max(), step['pseudo_weight_max'], f'{i} weight')
        assert (model.pseudo.weight == 0).sum() == step['pseudo_weight_zero_count']
        same_labels(model.mixed.labels, step['mixed_label'], f'{i} mixed')
        close(model.mixed.weight.mean(), step['mixed_weight_mean_f64'], f'{i} mixed weight')
        same_labels(model.masked_images.labels, step['masked_label'], f'{i} masked')
        close(model.masked_images.weight.mean(), step['masked_weight_mean_f64'], f'{i} masked weight')
        for name, images in (('mixed', model.mixed), ('masked', model.masked_images)):
            if f'{name}_image_every2' in step:
                close(images.inputs[:, :, ::2, ::2], step[f'{name}_image_every2'], f'{i} {name} images')
        losses = dict(src='seg_main', mix='mix_main', masked='masked_main')
        if 'loss_src_hr' in data:
            losses |= {f'{name}_hr': key.replace('main', 'detail') for name, key in losses.items()}
        if hyper['fd_lambda']:
            losses['fd'] = 'distance'
        for name, key in losses.items():
            stored = np.nan_to_num(data[f'loss_{name}'][i])  # NaN is the original's mean over an empty mask
            close(logs[f'loss_{key}'] * model.loss_weights[key], stored, f'{i} {name}')
        for part, found in (('student', network), ('teacher', teacher)):
            check_length(found, data, data[f'{part}_l2_after_step_f64'][i], i, FINAL)
    noise = set(data['noise_keys'].tolist())
    for part, found in (('student', network), ('teacher', teacher)):
        final = section(data, f'final_{part}')
        assert final
        for key, value in state_of(found, final).items():
            if key not in noise:
                close(value, final[key], f'{part} {key}', FINAL)
