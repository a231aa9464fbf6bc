"""Pictures of training iterations."""

import cv2
import pytest
import torch
from toolbox import tiny_config
from trainings import assert_same, train

from mmuda.visualization import TrainingPictureHook

PICTURES = {'+default_hooks.pictures.type': 'TrainingPictureHook', '+default_hooks.pictures.interval': 2}


@pytest.mark.parametrize('method', ['source_only', 'advent', 'dacs'])
def test_every_second_iteration_is_drawn_and_nothing_changes(minicity, tmp_path, method):
    drawn, plain = (
        train(tiny_config(method, minicity, tmp_path / name, iters=4, **options))
        for name, options in (('drawn', {**PICTURES, '+default_hooks.pictures.images': 2}), ('plain', {}))
    )
    files = sorted(path.name for path in (tmp_path / 'drawn').rglob('vis_image/*.png'))
    assert files == ['train_0_2.png', 'train_0_4.png', 'train_1_2.png', 'train_1_4.png']
    picture = cv2.imread(str(next((tmp_path / 'drawn').rglob('train_0_4.png'))))
    assert picture.std() > 20
    assert not list((tmp_path / 'plain').rglob('*.png'))
    assert_same(drawn.model.state_dict(), plain.model.state_dict())
    assert drawn.model.shown is None


def test_networks_that_are_no_adaptors_are_left_alone():
    class Run:
        model, iter = torch.nn.Identity(), 0

    hook = TrainingPictureHook(interval=1)
    hook.before_train_iter(Run, 0)
    hook.after_train_iter(Run, 0)
    assert not hasattr(Run.model, 'shown')


@pytest.mark.parametrize('options', [dict(interval=0), dict(images=0), dict(height=0)])
def test_wrong_numbers(options):
    with pytest.raises(ValueError, match='must be positive'):
        TrainingPictureHook(**options)
