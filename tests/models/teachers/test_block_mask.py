"""Masks of square blocks."""

import pytest
import torch

from mmuda.models.teachers import block_mask, draw_blocks


@pytest.mark.parametrize('size, block, grid', [((64, 96), 32, (2, 3)), ((37, 50), 10, (4, 5)), ((20, 28), 8, (2, 4))])
def test_the_grid_has_whole_blocks_halves_rounded_to_even(size, block, grid):
    assert draw_blocks(torch.Generator(), 2, size, block).shape == (2, 1, *grid)


def test_a_block_larger_than_the_image_is_an_error():
    with pytest.raises(ValueError, match=r'a block of 64 pixels is at least twice as large as the image, \(20, 200\)'):
        draw_blocks(torch.Generator(), 1, (20, 200), 64)


def test_blocks_of_an_image_are_hidden_independently_with_the_probability():
    blocks = draw_blocks(torch.Generator().manual_seed(0), 8, (640, 640), 16)
    visible = block_mask(blocks, (640, 640), 0.7)
    assert visible.dtype == torch.bool and visible.shape == (8, 1, 640, 640)
    assert visible.float().mean().item() == pytest.approx(0.3, abs=0.01)
    tiles = visible.view(8, 40, 16, 40, 16)
    assert (tiles == tiles[:, :, :1, :, :1]).all(), 'a block must be hidden completely or not at all'
    rows = visible[:, 0, ::16, ::16].float().flatten(1)
    assert torch.corrcoef(rows).triu(1).abs().max() < 0.1, 'images must have independent blocks'


@pytest.mark.parametrize('ratio, share', [(0.0, 1.0), (1.0, 0.0)])
def test_no_block_and_every_block(ratio, share):
    blocks = draw_blocks(torch.Generator().manual_seed(0), 2, (32, 48), 16)
    assert block_mask(blocks, (32, 48), ratio).float().mean() == share


def test_a_number_that_equals_the_ratio_hides():
    ratio = torch.tensor([[[[0.3, 0.31]]]])
    assert block_mask(ratio, (1, 2), 0.3).tolist() == [[[[False, True]]]]


def test_pixel_i_of_n_lies_in_block_floor_i_times_blocks_through_n():
    blocks = torch.tensor([0.0, 1.0, 0.0, 1.0]).view(1, 1, 4, 1)
    visible = block_mask(blocks, (10, 1), 0.5)[0, 0, :, 0]
    assert visible.tolist() == [bool(i * 4 // 10 % 2) for i in range(10)]
