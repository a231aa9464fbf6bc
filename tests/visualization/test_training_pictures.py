"""Maps of an iteration as pictures."""

import numpy as np
import pytest
import torch

from mmuda.models import SegOutputs
from mmuda.visualization import arrange, colorize, heat, training_pictures

PALETTE = [(10, 20, 30), (200, 100, 0), (0, 0, 255)]
MEAN, STD = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1), torch.tensor([2.0, 4.0, 8.0]).view(3, 1, 1)


def paint(shown, images=1, bgr=True):
    return training_pictures(shown, images, MEAN, STD, bgr, PALETTE)


@pytest.mark.parametrize('bgr', [True, False])
def test_images_are_those_of_the_file(bgr):
    pixels = torch.randint(0, 256, (2, 3, 4, 5)).float()
    first, second = paint({'source image': (pixels - MEAN) / STD}, 2, bgr)
    for place, found in enumerate((first, second)):
        wanted = pixels[place].permute(1, 2, 0).numpy().astype(np.uint8)
        np.testing.assert_array_equal(found['source image'], wanted[..., ::-1] if bgr else wanted)


def test_labels_have_the_colours_of_classes():
    label = torch.tensor([[[0, 1], [2, 255]]])
    (found,) = paint({'mix label': label})
    np.testing.assert_array_equal(found['mix label'], colorize(label[0].numpy().astype(np.uint8), PALETTE))


def test_predictions_come_with_entropies():
    logits = torch.zeros(1, 3, 2, 2)
    logits[0, 1, 0, 0] = 100
    outputs = SegOutputs(dict(main=logits), (), (4, 4), align_corners=False)
    (found,) = paint({'target prediction': outputs})
    assert list(found) == ['target prediction', 'target entropy']
    assert found['target prediction'][0, 0].tolist() == list(PALETTE[1])
    edges = heat(np.array([[0.0, 1.0]], np.float32))[0]
    assert np.array_equal(found['target entropy'][0, 0], edges[0]) and np.array_equal(
        found['target entropy'][3, 3], edges[1]
    )


def test_numbers_outside_the_unit_interval_are_scaled():
    scores = torch.tensor([[[[-3.0, 1.0], [5.0, torch.nan]]]])
    (found,) = paint({'source main discriminator': scores})
    ((name, picture),) = found.items()
    assert name == 'source main discriminator -3 to 5'
    np.testing.assert_array_equal(picture, heat(np.array([[0, 0.5], [1, 0]], np.float32)))


@pytest.mark.parametrize('value', [torch.nan, torch.inf, -torch.inf])
def test_a_map_without_numbers_is_grey(value):
    (found,) = paint({'target weight': torch.full((1, 2, 3), value)})
    ((name, picture),) = found.items()
    assert name == 'target weight not finite' and picture.shape == (2, 3, 3) and (picture == 128).all()


def test_single_numbers_that_are_not_finite_are_drawn():
    (found,) = paint({'target weight': torch.tensor([[[torch.nan, 0.25], [torch.inf, 0.75]]])})
    wanted = np.array([[0.25, 0.25], [0.75, 0.75]], np.float32)
    np.testing.assert_array_equal(found['target weight'], heat(wanted))


def test_predictions_that_are_nan_do_not_end_a_training():
    outputs = SegOutputs(dict(main=torch.full((1, 3, 2, 2), torch.nan)), (), (4, 4), align_corners=False)
    (found,) = paint({'target prediction': outputs})
    assert (found['target entropy not finite'] == 128).all()


def test_maps_of_odd_sizes_share_a_transfer():
    """Maps of different types are copied together, even if their sizes are no multiples of four bytes."""
    shown = {
        'a label': torch.ones(1, 3, 3, dtype=torch.int64),
        'a weight': torch.full((1, 1, 5), 0.25),
        'b label': torch.zeros(1, 1, 1, dtype=torch.int64),
    }
    (found,) = paint(shown)
    assert found['a label'].shape == (3, 3, 3) and (found['a label'] == PALETTE[1]).all()
    np.testing.assert_array_equal(found['a weight'], heat(np.full((1, 5), 0.25, np.float32)))


def test_each_domain_has_a_row():
    tile = np.zeros((10, 10, 3), np.uint8)
    names = ['source image', 'target image', 'source label', 'source entropy']
    sheet = arrange(dict.fromkeys(names, tile), 10)
    dark = (sheet[22:32] == 0).all(axis=(0, 2)), (sheet[54:64] == 0).all(axis=(0, 2))
    assert [int(columns.sum()) for columns in dark] == [30, 10]
