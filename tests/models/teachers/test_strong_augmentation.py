"""Strong augmentation of normalised images."""

import pytest
import torch

from mmuda.models.teachers import AugmentationDraws, StrongAugmentation, color_jitter, draw_jitter, gaussian_blur

MEAN, STD = torch.tensor([104.0, 116.0, 122.0]).view(3, 1, 1), torch.tensor([58.0, 57.0, 56.0]).view(3, 1, 1)


def images(count: int = 2) -> torch.Tensor:
    grey = torch.randint(0, 256, (count, 3, 20, 32), generator=torch.Generator().manual_seed(0))
    return (grey - MEAN) / STD


def test_closed_gates_leave_images_as_they_are():
    same = images()
    assert StrongAugmentation()(same, AugmentationDraws(None, None), MEAN, STD) is same


def test_jitter_works_on_grey_values_and_blur_on_what_is_normalised():
    jitter, sigma = draw_jitter(torch.Generator().manual_seed(1), 0.25, 2), torch.tensor([0.4, 1.0])
    found = StrongAugmentation()(images(), AugmentationDraws(jitter, sigma), MEAN, STD)
    colors = color_jitter((images() * STD + MEAN) / 255, jitter)
    torch.testing.assert_close(found, gaussian_blur((255 * colors - MEAN) / STD, sigma), atol=1e-4, rtol=1e-4)


def test_bgr_is_jittered_in_the_right_order():
    jitter = draw_jitter(torch.Generator().manual_seed(1), 0.25, 2)
    draws = AugmentationDraws(jitter, None)
    right = StrongAugmentation(channels='bgr')(images(), draws, MEAN, STD)
    as_rgb = StrongAugmentation()(images(), draws, MEAN, STD)
    assert (right - as_rgb).abs().max() > 0.1
    flipped = StrongAugmentation()(images().flip(1), draws, MEAN.flip(0), STD.flip(0)).flip(1)
    torch.testing.assert_close(right, flipped)


@pytest.mark.parametrize('shared', [False, True])
def test_draws_come_from_the_generator_alone(shared):
    augmentation = StrongAugmentation(jitter_probability=1.0, blur_probability=1.0, shared=shared)
    first, again, other = (augmentation.draw(torch.Generator().manual_seed(seed), 3) for seed in (0, 0, 1))
    assert torch.equal(first.sigma, again.sigma) and not torch.equal(first.sigma, other.sigma)
    assert all(torch.equal(a, b) for a, b in zip(first.jitter, again.jitter, strict=True))
    assert first.sigma.shape == (3,) and (len(first.sigma.unique()) == 1) == shared
    assert len(first.jitter.brightness.unique()) == 3, 'each image must have its own factors'


def test_gates_open_for_their_share_of_the_batches():
    augmentation = StrongAugmentation(jitter_probability=0.8, blur_probability=0.5)
    generator = torch.Generator().manual_seed(0)
    drawn = [augmentation.draw(generator, 1) for _ in range(2000)]
    assert sum(one.jitter is not None for one in drawn) / 2000 == pytest.approx(0.8, abs=0.03)
    assert sum(one.sigma is not None for one in drawn) / 2000 == pytest.approx(0.5, abs=0.03)
    assert augmentation.gates(0.2, 0.5) == (False, False), 'a draw at the limit must not augment'
    never = StrongAugmentation(jitter_probability=0.0, blur_probability=0.0)
    assert all(never.draw(generator, 1) == (None, None) for _ in range(100))


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(strength=0.6), r'strength=0.6 and sigma=\(0.15, 1.15\), expected a number in \[0, 0.5\]'),
        (dict(sigma=(0.0, 1.0)), r'sigma=\(0.0, 1.0\), expected .* a range of positive numbers'),
        (dict(formulas='opencv'), "formulas='opencv' and channels='as_rgb', expected one of"),
        (dict(channels='rgb'), "channels='rgb', expected one of"),
    ],
)
def test_wrong_options_are_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        StrongAugmentation(**options)


def test_images_are_changed_as_often_as_in_the_released_code():
    augmentation = StrongAugmentation()
    assert (augmentation.jitter_probability, augmentation.blur_probability) == (0.8, 0.5)
