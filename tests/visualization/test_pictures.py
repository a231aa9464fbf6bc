"""Pictures of label maps, uncertainty and panels."""

import math

import numpy as np
import pytest
import torch

from mmuda.visualization import colorize, entropy_map, heat, panel

PALETTE = [(10, 20, 30), (200, 100, 0), (0, 255, 0)]


def test_colorize():
    label = np.array([[0, 1, 2], [255, 2, 0]], dtype=np.uint8)
    wanted = [[PALETTE[0], PALETTE[1], PALETTE[2]], [(0, 0, 0), PALETTE[2], PALETTE[0]]]
    picture = colorize(label, PALETTE)
    np.testing.assert_array_equal(picture, np.array(wanted))
    assert picture.dtype == np.uint8


@pytest.mark.parametrize(
    'label,palette,error,message',
    [
        (np.array([[7]], np.uint8), PALETTE, ValueError, r'\[7\] have no colour'),
        (np.array([[0]]), PALETTE, TypeError, 'int64'),
        (np.zeros((1, 2, 2), np.uint8), PALETTE, ValueError, r'\(H, W\)'),
        (np.zeros((2, 2), np.uint8), [(0, 0, 300)], ValueError, r'\[0, 255\]'),
        (np.zeros((2, 2), np.uint8), [(0, 0)], ValueError, 'RGB triples'),
    ],
)
def test_colorize_refuses(label, palette, error, message):
    with pytest.raises(error, match=message):
        colorize(label, palette)


@pytest.mark.parametrize('num_classes', [2, 5, 19])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_entropy_map(num_classes, dtype):
    torch.manual_seed(0)
    logits = torch.randn(num_classes, 4, 6).to(dtype)
    logits[:, 0, 0] = 0
    logits[:, 0, 1] = -60000 if dtype == torch.float16 else -1e30
    logits[1, 0, 1] = 0
    found = entropy_map(logits.clone().requires_grad_())
    wanted = torch.distributions.Categorical(logits=logits.double().permute(1, 2, 0)).entropy() / np.log(num_classes)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-6)
    assert found.dtype == np.float32 and found.shape == (4, 6)
    assert found[0, 0] == pytest.approx(1, abs=1e-6) and found[0, 1] == 0
    assert found.min() >= 0 and found.max() <= 1


def test_entropy_map_refuses_batches():
    with pytest.raises(ValueError, match=r'\(C, H, W\)'):
        entropy_map(torch.zeros(1, 3, 4, 4))


def test_heat_grows_lighter():
    painted = heat(np.linspace(0, 1, 64, dtype=np.float32)[None])
    assert painted.shape == (1, 64, 3) and painted.dtype == np.uint8
    luminance = painted[0].astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > -1.5).all() and luminance[-1] - luminance[0] > 150
    # The order is RGB, not BGR: the middle of inferno is red.
    assert painted[0, 32, 0] > painted[0, 32, 2] + 50


@pytest.mark.parametrize('values', [[[1.5]], [[-0.1]], [[float('nan')]]])
def test_heat_refuses(values):
    with pytest.raises(ValueError, match=r'\[0, 1\]'):
        heat(np.array(values))


def test_panel_tiles_and_captions():
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    pictures = {f'picture {index}': np.full((20, 40, 3), color, np.uint8) for index, color in enumerate(colors)}
    sheet = panel(pictures, columns=2)
    assert sheet.dtype == np.uint8 and sheet.shape[1] >= 80 and sheet.shape[0] >= 40
    for color in colors:
        assert (sheet == color).all(axis=2).sum() == 20 * 40
    bare = panel({name[:1] * index: picture for index, (name, picture) in enumerate(pictures.items())}, columns=2)
    assert bare.shape == sheet.shape and not np.array_equal(bare, sheet)
    taller = panel(pictures, columns=3, height=40)
    assert (taller == colors[0]).all(axis=2).sum() == 40 * 80


def test_panel_refuses():
    with pytest.raises(ValueError, match='at least one'):
        panel({}, columns=1)
    with pytest.raises(ValueError, match="'grey'"):
        panel(dict(grey=np.zeros((2, 2), np.uint8)), columns=1)
    with pytest.raises(ValueError, match='positive'):
        panel(dict(a=np.zeros((2, 2, 3), np.uint8)), columns=0)


def test_colorize_blackens_an_ignored_class_that_has_a_colour():
    assert colorize(np.array([[1, 0]], dtype=np.uint8), PALETTE, ignore_index=1).tolist() == [[[0, 0, 0], [10, 20, 30]]]


@pytest.mark.parametrize('palette, words', [([(1, 2)], 'RGB triples'), ([(1, 2, 256)], '256'), ([(-1, 2, 3)], '-1')])
def test_colorize_refuses_a_palette(palette, words):
    with pytest.raises(ValueError, match=words):
        colorize(np.zeros((2, 2), dtype=np.uint8), palette)


def test_entropy_map_is_zero_for_certainty_and_one_for_ignorance():
    logits = torch.zeros(4, 1, 3)
    logits[2, 0, 0] = 1000
    logits[:2, 0, 2] = 50
    np.testing.assert_allclose(entropy_map(logits), [[0, 1, math.log(2) / math.log(4)]], atol=1e-6)


def solid(height, width, color):
    return np.full((height, width, 3), color, dtype=np.uint8)


def count(sheet, color):
    return int((sheet == color).all(axis=2).sum())


def test_panel_shows_every_picture_at_the_common_height():
    sheet = panel(
        {'a': solid(20, 40, (255, 0, 0)), 'b': solid(10, 20, (0, 255, 0)), 'c': solid(40, 40, (0, 0, 255))},
        columns=2,
        height=20,
    )
    assert [count(sheet, color) for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255))] == [800, 800, 400]


def test_panel_goes_row_by_row_and_takes_the_tallest_height():
    colors = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    sheet = panel({str(place): solid(8 + place, 8 + place, color) for place, color in enumerate(colors)}, columns=2)
    first, second, third = (np.argwhere((sheet == color).all(axis=2)).min(axis=0) for color in colors)
    assert [count(sheet, color) for color in colors] == [100, 100, 100]
    assert first[0] == second[0] < third[0] and first[1] == third[1] < second[1]


def test_panel_cuts_captions_at_the_picture():
    plain, written = (panel({name: solid(8, 16, 255), 'z' + name: solid(8, 16, 255)}, 1) for name in ('', 'W' * 90))
    assert plain.shape == written.shape
    assert (written < 128).any(axis=2).sum() > (plain < 128).any(axis=2).sum() > 0
    assert (written[:, :4] == 255).all() and (written[:, -4:] == 255).all()
