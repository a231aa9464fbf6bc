"""The parts of DACS and of methods based on it, with the inputs and random numbers of the originals."""

import numpy as np
import pytest
import torch
from golden import cases, golden_files, load, scalar, section, steps
from mmengine.optim import PolyLR
from mmengine.structures import PixelData
from mmseg.datasets.transforms import RandomFlip, Resize
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmuda.datasets.transforms import LoadTrustedPixels, PackDomainInputs
from mmuda.models.losses import pixel_cross_entropy
from mmuda.models.teachers import (
    AugmentationDraws,
    EMATeacher,
    JitterFactors,
    StrongAugmentation,
    block_mask,
    class_mask,
    draw_blocks,
    draw_jitter,
    pseudo_labels,
    trust,
)
from mmuda.models.teachers.gaussian_blur import kernel_size

CLOSE = 2e-5
"""Tolerance of the README of the golden files, relative to the largest value."""

LOSS = 1e-5


def both(prefix: str) -> list:
    return [*golden_files('dacs', prefix), *golden_files('daformer', prefix)]


def close(ours, stored, message: str, tolerance: float = CLOSE) -> None:
    ours, stored = np.asarray(ours), np.asarray(stored)
    assert ours.shape == stored.shape, message
    assert np.abs(ours - stored).max() <= tolerance * max(np.abs(stored).max(), 1e-3), message


def labels(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.int64))


def keys_for(chosen: list[np.ndarray]) -> Tensor:
    """Return keys with which `class_mask` chooses certain label values in each image."""
    keys = torch.ones(len(chosen), 256)
    for key, values in zip(keys, chosen, strict=True):
        key[torch.from_numpy(values.astype(np.int64))] = 0
    return keys


def with_map(trusted: np.ndarray) -> SegDataSample:
    """Return a sample with a map (1, H, W) of trusted pixels."""
    sample = SegDataSample()
    sample.trusted = PixelData(data=torch.from_numpy(np.ascontiguousarray(trusted)))
    return sample


def with_border(images: Tensor, top: int, bottom: int) -> list[SegDataSample]:
    """Return a sample for each image with untrusted rows at the top and bottom."""
    step = LoadTrustedPixels(border=dict(top=top, bottom=bottom))
    trusted = step(dict(img_shape=tuple(images.shape[-2:])))['trusted_map']
    return [with_map(trusted[None]) for _ in images]


@pytest.mark.parametrize('path', both('classmix'))
def test_class_mix(path):
    data, classes_of = load(path), {'dacs': 'image', 'daformer': 'batch'}[path.parent.name]
    for i, case in cases(data):
        label, images = labels(case['label']), [section(case, f'image{j}') for j in range(len(case['label']))]
        for j, image in enumerate(images):
            present = np.unique(case['label'] if classes_of == 'batch' else case['label'][j])
            np.testing.assert_array_equal(present, case.get('classes_present_batch', image.get('classes_present')))
            assert tuple(image['n_and_k']) == (len(present), (len(present) + 1) // 2)
            np.testing.assert_array_equal(present[image['choice_index']], image['chosen_classes'])
        # The number of chosen classes follows from the classes that are present; these keys put the stored ones first.
        keys = keys_for([image['chosen_classes'] for image in images])
        paste = class_mask(label, keys, classes_of, ignored_is_class=True)
        np.testing.assert_array_equal(paste, np.stack([image['mask'] for image in images]), err_msg=str(i))
        for key in ('mixed_image', 'mixed_label', 'mixed_weight'):
            source, target = dict(
                mixed_image=(case['source_u8'], case['target_u8']),
                mixed_label=(case['label'], case['pseudo_label']),
                mixed_weight=(np.float32(1), np.broadcast_to(case['q'], label.shape)),
            )[key]
            mask = paste[:, None] if key == 'mixed_image' else paste
            np.testing.assert_array_equal(np.where(mask, source, target), case[key], err_msg=f'{i} {key}')


@pytest.mark.parametrize('path', both('pseudo_label'))
def test_pseudo_labels(path):
    data = load(path)
    for i, case in cases(data):
        threshold = scalar(case, 'threshold_f64', scalar(data, 'threshold_f64'))
        logits = torch.from_numpy(case['teacher_logits'])
        found = pseudo_labels(logits, threshold)
        np.testing.assert_array_equal(found.labels, case['pseudo_label'], err_msg=str(i))
        assert found.share.item() == case['q'], i
        weight = found.weight
        if 'ignore_top' in case:
            rows = scalar(case, 'ignore_top'), scalar(case, 'ignore_bottom')
            weight = weight * trust(with_border(logits, *rows), logits.shape[-2:], logits.device)
        np.testing.assert_array_equal(weight, case['weight_map'], err_msg=str(i))
        if 'source_label' in case:
            source = labels(case['source_label'])
            present = np.unique(case['source_label'])
            keys = keys_for([present[case[f'choice_index{j}']] for j in range(len(source))])
            paste = class_mask(source, keys, 'batch', ignored_is_class=True)
            np.testing.assert_array_equal(torch.where(paste, source, found.labels), case['mixed_label'], err_msg=str(i))
            np.testing.assert_array_equal(torch.where(paste, 1.0, weight), case['mixed_weight'], err_msg=str(i))


@pytest.mark.parametrize('path', golden_files('mic', 'margins'))
def test_trusted_pixels(path):
    data = load(path)
    logits = torch.from_numpy(data['logits'])
    size = logits.shape[-2:]
    for i in steps(data, 'num_v1_cases'):
        case = section(data, f'weight{i}')
        threshold = scalar(case, 'threshold_f64')
        found = pseudo_labels(logits, threshold, 'one' if np.isnan(threshold) else 'share')
        np.testing.assert_array_equal(found.labels, data['label'])
        if not np.isnan(threshold):
            assert found.share.item() == np.float32(scalar(case, 'share_f64'))
        samples = with_border(logits, *case['top_bottom'].tolist())
        if case['use_valid_mask']:
            samples = [with_map(mask) for mask in data['valid_mask']]
        weight = found.weight * trust(samples, size, logits.device)
        np.testing.assert_array_equal(weight, case['weight'], err_msg=str(i))

    for i in steps(data, 'num_v2_cases'):
        case = section(data, f'v2_{i}')
        border = dict(
            zip(('top', 'bottom', 'left', 'right'), case['margins_top_bottom_left_right'].tolist(), strict=True)
        )
        size = tuple(case['full_hw'].tolist())
        results = LoadTrustedPixels(border=border)(dict(img=np.zeros((*size, 3), np.uint8), img_shape=size))
        np.testing.assert_array_equal(results['trusted_map'], case['mask_full'])
        results = Resize(scale=tuple(case['resize_wh'].tolist()), keep_ratio=False)(results)
        np.testing.assert_array_equal(results['trusted_map'], case['mask_resized'])
        (y, x), (height, width) = case['crop_offset_yx'], case['crop_hw']
        for key in ('img', 'trusted_map'):
            results[key] = results[key][y : y + height, x : x + width]
        if case['flip']:
            results = RandomFlip(prob=1.0)(results)
        trusted = PackDomainInputs()(results)['data_samples'].trusted.data[0]
        np.testing.assert_array_equal(trusted, case['mask_final'], err_msg=f'v2_{i}')


class NetworkN(nn.Module):
    """The network of the files: convolution, batch-norm, ReLU, 1x1 convolution, and optionally a factor."""

    def __init__(self, arrays: dict) -> None:
        super().__init__()
        hidden, channels = arrays['conv.weight'].shape[:2]
        self.conv = nn.Conv2d(channels, hidden, 3, padding=1)
        self.bn = nn.BatchNorm2d(hidden)
        self.head = nn.Conv2d(hidden, len(arrays['head.bias']), 1)
        self.scale = nn.Parameter(torch.ones(())) if 'scale' in arrays else 1

    def forward(self, x: Tensor, mode: str) -> Tensor:
        return self.head(self.bn(self.conv(x)).relu()) * self.scale


def set_state(network: nn.Module, arrays: dict) -> None:
    network.load_state_dict({name: torch.from_numpy(np.asarray(value)) for name, value in arrays.items()})


def set_parameters(network: nn.Module, names: list[str], flat: np.ndarray) -> None:
    parameters = dict(network.named_parameters())
    torch.nn.utils.vector_to_parameters(torch.from_numpy(flat), [parameters[name] for name in names])


def flat_parameters(network: nn.Module, names: list[str]) -> np.ndarray:
    parameters = dict(network.named_parameters())
    return np.concatenate([parameters[name].detach().numpy().ravel() for name in names])


def statistics(network: NetworkN) -> np.ndarray:
    return torch.cat([network.bn.running_mean, network.bn.running_var]).numpy()


@pytest.mark.parametrize('path', both('ema'))
def test_ema(path):
    data = load(path)
    names = data['param_names'].tolist()
    student = NetworkN(section(data, 'student_init'))
    teacher = EMATeacher(student, decay=scalar(data, 'alpha_max_f64'), dropout=path.parent.name == 'dacs')
    set_state(teacher.segmentor, section(data, 'teacher_before_init', optional=True) or section(data, 'teacher_init'))
    set_state(student, section(data, 'student_init'))
    if 'teacher_requires_grad_after_init' in data:
        assert [p.requires_grad for p in teacher.segmentor.parameters()] == [False] * len(names)
        assert not data['teacher_requires_grad_after_init'].any()
    teacher.start(student)
    for name, value in section(data, 'teacher_init').items():
        np.testing.assert_array_equal(teacher.segmentor.state_dict()[name], value, err_msg=name)
    for i in steps(data):
        teacher.updates.value.fill_(int(data['iterations'][i]))
        set_parameters(student, names, data['student_flat'][i])
        teacher.update(student)
        close(flat_parameters(teacher.segmentor, names), data['teacher_flat'][i], f'{i} parameters')
        close(statistics(teacher.segmentor), data['teacher_bn_mean_var'][i], f'{i} statistics')
        if 'forward_input' in data:
            output = teacher(torch.from_numpy(data['forward_input'][i]))
            close(output, data['forward_output'][i], f'{i} output')
            close(statistics(teacher.segmentor), data['teacher_bn_mean_var_after_forward'][i], f'{i} after a pass')


def normalised(image: np.ndarray, data: dict) -> tuple[Tensor, Tensor, Tensor]:
    """Return normalised images (N, 3, H, W), mean and standard deviation."""
    mean = torch.from_numpy(data['mean'] if 'mean' in data else data['img_mean_bgr'])[:, None, None]
    std = torch.from_numpy(data['std'])[:, None, None] if 'std' in data else torch.ones_like(mean)
    return (torch.from_numpy(image).float() - mean) / std, mean, std


@pytest.mark.parametrize('path', both('strong_augment'))
def test_strong_augmentation(path):
    data = load(path)
    # The files of DACS have no threshold: it is 0.2 there. That of the blur is 0.5 in both families.
    augmentation = StrongAugmentation(
        strength=scalar(data, 'strength'),
        jitter_probability=1 - scalar(data, 'gate_threshold_f64', 0.2),
        blur_probability=0.5,
    )
    (image,) = (value for key, value in data.items() if key.startswith('image_u8'))
    image, mean, std = normalised(image, data)

    def check(name: str, case: dict, jitters: bool, blurs: bool) -> None:
        factors = JitterFactors(*torch.from_numpy(case['factors_bcht'])[:, None], torch.from_numpy(case['order'])[None])
        draws = AugmentationDraws(
            factors if jitters else None, torch.from_numpy(case['sigma_f64'])[None] if blurs else None
        )
        close(augmentation(image[None], draws, mean, std)[0], case['output'], name)

    for i, case in cases(data):
        check(f'case{i}', case, *augmentation.gates(*case['gates_f64'].tolist()))
    for i in range(scalar(data, 'num_drawn', 0)):
        case = section(data, f'drawn{i}')
        check(f'drawn{i}', case, True, True)
        # The numbers of kornia, drawn from the same seed.
        generator = torch.Generator().manual_seed(scalar(case, 'torch_and_numpy_seed'))
        drawn = draw_jitter(generator, scalar(data, 'strength'), count=1)
        close(torch.cat(drawn[:4]), case['factors_bcht'], f'drawn{i}', 1e-6)
        np.testing.assert_array_equal(drawn.order[0], case['order'])
    assert [kernel_size(side) for side in data['kernel/side'].tolist()] == data['kernel/size'].tolist()


@pytest.mark.parametrize('path', golden_files('mic', 'color_aug'))
def test_strong_augmentation_of_a_batch(path):
    data = load(path)
    images, mean, std = normalised(data['image'], data)
    for i, case in cases(data):
        augmentation = StrongAugmentation(
            strength=scalar(case, 'strength_f64'),
            jitter_probability=1 - scalar(case, 'jitter_threshold_f64'),
            blur_probability=0.5,
            shared=True,
        )
        jitters, blurs = augmentation.gates(scalar(case, 'u_jitter_f64'), scalar(case, 'u_blur_f64'))
        assert jitters == case['jitter_applied']
        factors = [torch.from_numpy(case[f'{key}_factor']) for key in ('brightness', 'contrast', 'hue', 'saturation')]
        order = torch.from_numpy(case['order']).expand(len(images), 4)
        draws = AugmentationDraws(
            JitterFactors(*factors, order) if jitters else None,
            torch.from_numpy(case['sigma_f64']).expand(len(images)) if blurs else None,
        )
        assert [kernel_size(side) for side in images.shape[-2:]] == case['kernel_yx'].tolist()
        close(augmentation(images, draws, mean, std), case['out'], str(i))


@pytest.mark.parametrize('path', golden_files('mic', 'block_mask'))
def test_block_mask(path):
    for i, case in cases(load(path)):
        count, *size = case['shape_bhw'].tolist()
        drawn = draw_blocks(torch.Generator(), count, size, scalar(case, 'block'))
        assert drawn.shape == case['u'].shape and list(drawn.shape[-2:]) == case['grid_hw'].tolist()
        visible = block_mask(torch.from_numpy(case['u']), size, scalar(case, 'ratio_f64'))
        np.testing.assert_array_equal(visible, case['mask'], err_msg=str(i))
        if 'image_x8' in case:
            np.testing.assert_array_equal(visible.numpy() * case['image_x8'], case['masked_image_x8'], err_msg=str(i))


@pytest.mark.parametrize('path', both('loss_reduction'))
def test_loss_reduction(path):
    # The source loss of DACS is a mean over labelled pixels, that of DAFormer a mean over all pixels.
    names = dict(
        dacs=dict(source=(False, 'labelled'), mixed=(True, 'all')),
        daformer=dict(plain=(False, 'all'), weighted=(True, 'all')),
    )[path.parent.name]
    compared = 0
    for i, case in cases(load(path)):
        for kind, (weighted, mean_over) in names.items():
            logits = torch.from_numpy(case['logits']).requires_grad_()
            weight = torch.from_numpy(case['weight']) if weighted else None
            loss = pixel_cross_entropy(logits, labels(case['label']), weight, mean_over)
            loss.backward()
            if np.isnan(case[f'{kind}_loss']):  # no labelled pixel: the loss is zero
                assert loss.item() == 0 and not logits.grad.any()
                continue
            close(loss.item(), case[f'{kind}_loss'], f'{i} {kind}', LOSS)
            close(logits.grad, case[f'{kind}_grad'], f'{i} {kind} gradient')
            compared += 1
    assert compared


@pytest.mark.parametrize('path', golden_files('dacs', 'lr'))
def test_learning_rate(path):
    data = load(path)
    recipes = sorted({key.split('/')[0] for key in data})
    assert recipes
    for recipe in recipes:
        part = section(data, recipe)
        base, total, power = part['base_max_power_f64'].tolist()
        weights = [torch.nn.Parameter(torch.zeros(())) for _ in range(2)]
        optimizer = torch.optim.SGD([dict(params=[weights[0]]), dict(params=[weights[1]], lr=10 * base)], lr=base)
        schedule = PolyLR(optimizer, power=power, begin=0, end=int(total) + 1, by_epoch=False)
        optimizer.step()  # mmengine warns if a scheduler steps before the optimizer
        wanted = dict(zip(part['iters'].tolist(), zip(part['lr_f64'], part['lr_head_f64'], strict=True), strict=True))
        for i in range(max(wanted) + 1):
            if i in wanted:
                rates = [group['lr'] for group in optimizer.param_groups]
                np.testing.assert_allclose(rates, wanted[i], rtol=1e-8, atol=1e-15, err_msg=f'{recipe} {i}')
            schedule.step()
