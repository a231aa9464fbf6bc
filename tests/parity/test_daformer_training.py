"""The feature distance and whole iterations of DAFormer, compared with stored values of the original."""

import numpy as np
import pytest
import torch
from golden import SHIPPED_DIR, cases, golden_files, load, scalar, section, steps
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from replay import CLOSE, LOSS, Gradients, Replayed, close, domain, flat, without_rows
from standins_daformer import TinyS, tiny_s_channels
from standins_hrda import load_state
from toolbox import CONFIGS

from mmuda.engine import PerModuleOptimWrapperConstructor, WarmupPolyLR
from mmuda.engine.launch import load_config
from mmuda.models.teachers import AugmentationDraws, JitterFactors
from projects.daformer import DAFormer, feature_distance, majority_labels
from projects.daformer.feature_distance import class_table


@pytest.mark.parametrize('path', golden_files('daformer', 'feature_distance'))
def test_feature_distance(path):
    data = load(path)
    for i, case in cases(data):
        classes = None if (case['classes'] < 0).all() else case['classes'].tolist()
        label, count = torch.from_numpy(case['label'].astype(np.int64)), scalar(case, 'num_classes')
        features, reference = (torch.from_numpy(case[f'{name}feature']) for name in ('', 'imnet_'))
        cells = majority_labels(label, features.shape[-2:], count, scalar(case, 'min_ratio_f64'))
        np.testing.assert_array_equal(cells, case['downscaled_label'])
        mask = class_table(classes, count)[cells]
        np.testing.assert_array_equal(mask, case['mask'])
        loss = feature_distance(features.requires_grad_(), reference, mask) * scalar(case, 'lambda_f64')
        loss.backward()
        close(loss, 0 if np.isnan(case['loss']) else case['loss'], str(i), LOSS)
        assert np.isnan(case['loss']) == (not mask.any())
        close(features.grad, case['grad'], str(i))


@pytest.mark.parametrize('path', golden_files('daformer', 'feature_distance', SHIPPED_DIR))
def test_a_shipped_case_has_no_thing(path):
    assert any(not case['mask'].any() for _, case in cases(load(path)))


@MODELS.register_module()
class ReplayedDAFormer(Replayed, DAFormer):
    pass


HYPER = (
    'lr', 'head_factor', 'weight_decay', 'beta1', 'beta2', 'eps', 'warmup', 'warmup_ratio', 'horizon', 'decay',
    'threshold', 'top', 'bottom', 'distance', 'min_ratio', 'strength', 'jitter_gate', 'blur_gate', 'dropout',
)  # fmt: skip


def segmentor(state: dict, dilations: list[int], dropout: float) -> dict:
    channels = tiny_s_channels(state)
    return dict(
        type='AdaptiveEncoderDecoder',
        backbone=dict(type=TinyS, channels=channels),
        decode_head=dict(
            type='DAFormerHead',
            in_channels=channels[1:],
            in_index=[0, 1, 2, 3],
            num_classes=len(state['decode_head.conv_seg.weight']),
            channels=state['decode_head.conv_seg.weight'].shape[1],
            embed_dims=len(state['decode_head.embed_layers.0.proj.weight']),
            dilations=dilations,
            dropout_ratio=dropout,
        ),
    )


def build(data: dict) -> tuple:
    """Build the adaptor of a file in its initial state, its optimizers and its schedule."""
    hyper = dict(zip(HYPER, data['hyper_f64'].tolist(), strict=True))
    init = section(data, 'init')
    init_default_scope('mmseg')
    classes = data['fd_classes'].tolist()
    model = MODELS.build(
        dict(
            type='ReplayedDAFormer',
            segmentor=segmentor(init, data['dilations'].tolist(), hyper['dropout']),
            data_preprocessor=dict(
                type='DomainPairPreprocessor',
                mean=data['mean'].tolist(),
                std=data['std'].tolist(),
                # The images of the files are RGB.
                bgr_to_rgb=False,
            ),
            teacher=dict(decay=hyper['decay']),
            threshold=hyper['threshold'],
            distance_classes=None if classes == [-1] else classes,
            distance_ratio=hyper['min_ratio'],
            loss_weights=dict(distance=hyper['distance']),
            augmentation=dict(
                strength=hyper['strength'],
                jitter_probability=1 - hyper['jitter_gate'],
                blur_probability=1 - hyper['blur_gate'],
            ),
        )
    )
    assert model.num_classes == scalar(data, 'num_classes')
    load_state(model.segmentor, init)
    if hyper['distance']:
        backbone = {name.removeprefix('backbone.'): value for name, value in section(data, 'imnet').items()}
        load_state(model.imagenet.segmentor.backbone, backbone)
    cfg = load_config(CONFIGS / '_base_/schedules/adamw_40k.py').optim_wrapper
    cfg.pop('constructor')
    cfg.segmentor.optimizer.update(
        lr=hyper['lr'], betas=(hyper['beta1'], hyper['beta2']), eps=hyper['eps'], weight_decay=hyper['weight_decay']
    )
    cfg.segmentor.paramwise_cfg.custom_keys['head'].lr_mult = hyper['head_factor']
    wrappers = PerModuleOptimWrapperConstructor(cfg)(model)
    schedule = WarmupPolyLR(
        wrappers['segmentor'],
        power=1.0,
        eta_min=0.0,
        warmup=int(hyper['warmup']),
        warmup_ratio=hyper['warmup_ratio'],
        begin=0,
        end=int(hyper['horizon']) + 1,
        by_epoch=False,
    )
    return model, wrappers, schedule, hyper


def draws(step: dict, model: DAFormer) -> AugmentationDraws:
    factors = torch.from_numpy(step['factors_bcht']).T
    jitters, blurs = model.augmentation.gates(*step['gates_f64'].tolist())
    return AugmentationDraws(
        JitterFactors(*factors, torch.from_numpy(step['order'])) if jitters else None,
        torch.from_numpy(step['sigma_f64']) if blurs else None,
    )


def rates(wrappers, network) -> list[float]:
    """Return the learning rates of the backbone and of the head, which are equal within each of them."""
    found = {id(p): group['lr'] for group in wrappers['segmentor'].optimizer.param_groups for p in group['params']}
    parts = [{found[id(p)] for p in part.parameters()} for part in (network.backbone, network.decode_head)]
    assert all(len(part) == 1 for part in parts), parts
    return [rate for part in parts for rate in part]


@pytest.mark.parametrize('path', golden_files('daformer', 'trajectory'))
def test_trajectory(path):
    data = load(path)
    model, wrappers, schedule, hyper = build(data)
    network, teacher = model.segmentor, model.teacher.segmentor
    gradients = Gradients(wrappers['segmentor'].optimizer, network)
    compared = set()
    if hyper['dropout']:
        keep_logits(model)
    for i in steps(data):
        step = section(data, f'step{i}')
        present = np.unique(step['source_label'])
        np.testing.assert_array_equal(present, step['classes_present_batch'])
        model.replay([present[step[f'choice_index{j}']] for j in range(len(step['source_label']))], draws(step, model))
        np.testing.assert_allclose(rates(wrappers, network), data['lr_backbone_head_f64'][i], rtol=1e-9, atol=1e-18)
        model.train()
        rows = int(hyper['top']), int(hyper['bottom'])
        batch = dict(
            source=domain(step['source_u8'], step['source_label']),
            target=domain(step['target_u8'], trusted=without_rows(step['target_u8'], *rows)),
        )
        logs = model.train_step(batch, wrappers)
        schedule.step()

        np.testing.assert_array_equal(model.pseudo.labels, step['pseudo_label'])
        close(model.pseudo.share, step['q'], f'{i} share')
        mixed = model.mixed
        np.testing.assert_array_equal(mixed.labels, step['mixed_label'])
        close(mixed.weight.sum(), step['mixed_weight_sum'], f'{i} weight')
        statistics = torch.stack([mixed.inputs.mean(dim=(1, 2, 3)), mixed.inputs.std(dim=(1, 2, 3), correction=0)], 1)
        close(statistics, step['mixed_image_mean_std'], f'{i} image')
        if 'mixed_image0_every2' in step:
            close(mixed.inputs[0, :, ::2, ::2], step['mixed_image0_every2'], f'{i} image')
        if 'teacher_logits_every4' in step:
            close(model.logits[:, :, ::4, ::4], step['teacher_logits_every4'], f'{i} teacher')
        for name, value in section(step, 'teacher', optional=True).items():
            close(teacher.state_dict()[name], value, f'{i} {name}')
        if hyper['dropout']:
            compared.add('teacher')
            continue  # dropout makes losses of the student random
        close(logs['loss_seg_main'], data['loss_source'][i], f'{i} source', LOSS)
        close(logs['loss_mix_main'], data['loss_mixed'][i], f'{i} mixed', LOSS)
        if hyper['distance']:
            close(logs['loss_distance'] * hyper['distance'], np.nan_to_num(data['loss_fd'][i]), f'{i} distance', LOSS)
        if 'grad_flat' in step:
            ours = torch.cat([gradients.seen[name].flatten() for name in data['grad_names'].tolist()])
            close(ours, step['grad_flat'], f'{i} gradient')
        close(flat(network, data['flat_names']), step['student_flat'], f'{i} student')
        close(flat(teacher, data['flat_names']), step['teacher_flat'], f'{i} teacher', CLOSE)
        compared.add('losses')
    assert compared


def keep_logits(model: ReplayedDAFormer) -> None:
    def keep(_, args, kwargs, outputs) -> None:
        model.logits = outputs.upsample('main')

    model.teacher.register_forward_hook(keep, with_kwargs=True)
