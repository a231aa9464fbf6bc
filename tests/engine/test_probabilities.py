"""Class probabilities of images, one image after the other."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from toolbox import tiny_config

from mmuda.datasets import build_dataset
from mmuda.engine.kept_values import KeptValues
from mmuda.engine.probabilities import class_probabilities, inference_dataset
from mmuda.stages.inference import ImageSet


@pytest.fixture
def cfg(minicity, tmp_path):
    init_default_scope('mmseg')
    return tiny_config('source_only', minicity, tmp_path)


@pytest.fixture
def images(cfg) -> ImageSet:
    return ImageSet(build_dataset(inference_dataset(cfg)))


def test_probabilities_come_in_order_and_mirrored(cfg, images):
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    straight = list(class_probabilities(model, images.dataset, [4, 0, 2], batch_size=2))
    assert [tuple(prob.shape) for prob in straight] == [(19, 48, 64)] * 3
    (alone,) = class_probabilities(model, images.dataset, [2])
    torch.testing.assert_close(straight[2], alone)
    torch.testing.assert_close(alone.sum(dim=0), torch.ones(48, 64))
    (both,) = class_probabilities(model, images.dataset, [2], flip=True)
    inputs = images.dataset[2]['inputs'].flip(-1)
    (mirrored,) = model.probabilities(dict(inputs=[inputs], data_samples=[images.dataset[2]['data_samples']]))
    torch.testing.assert_close(both, (alone + mirrored.flip(-1)) / 2)


@pytest.mark.parametrize('flip', [False, True])
def test_a_second_pass_reads_no_image_that_was_kept(cfg, images, tmp_path, flip):
    torch.manual_seed(0)
    model, kept = MODELS.build(cfg.model).eval(), KeptValues(tmp_path)
    expected = list(class_probabilities(model, images.dataset, [4, 0, 2], flip=flip))
    list(class_probabilities(model, images.dataset, [0], flip=flip, kept=kept))
    found = list(class_probabilities(model, images.dataset, [4, 0, 2], flip=flip, kept=kept))
    again = list(class_probabilities(model, [None] * 5, [4, 0, 2], flip=flip, kept=kept))
    for first, second, third in zip(expected, found, again, strict=True):
        assert torch.equal(first, second) and torch.equal(first, third)
    (small,) = class_probabilities(model, images.dataset, [0], at='input', flip=flip)
    assert torch.equal(small, next(class_probabilities(model, [None], [0], at='input', flip=flip, kept=kept)))


def test_other_models_are_asked_for_their_logits(cfg, images):
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    (expected,) = class_probabilities(model, images.dataset, [1])
    ensemble = MODELS.build(ConfigDict(type='LogitEnsemble', models=[cfg.model])).eval()
    ensemble.models[0].load_state_dict(model.state_dict())
    (found,) = class_probabilities(ensemble, images.dataset, [1])
    torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match="LogitEnsemble predicts at image size only: at='input'"):
        next(class_probabilities(ensemble, images.dataset, [1], at='input'))
