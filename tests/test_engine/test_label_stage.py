"""Which images a stage looks at, and what it sees."""

from pathlib import Path

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from toolbox import tiny_config

from mmuda.datasets import build_dataset
from mmuda.engine.probabilities import class_probabilities, inference_dataset
from mmuda.stages import LabelStage, make_context
from mmuda.stages.inference import ImageSet


@pytest.fixture
def cfg(minicity, tmp_path):
    init_default_scope('mmseg')
    return tiny_config('source_only', minicity, tmp_path)


@pytest.fixture
def images(cfg) -> ImageSet:
    return ImageSet(build_dataset(inference_dataset(cfg)))


def test_target_images_are_read_without_labels(cfg, images):
    assert len(images.paths) == 5 and all('train' in path for path in images.paths)
    assert 'gt_sem_seg' not in images.dataset[0]['data_samples']
    assert images.size('image') == images.size('input') == (48, 64) and len(images.classes) == 19


def test_a_list_chooses_and_orders_images(images, tmp_path):
    chosen = [images.paths[3], images.paths[1]]
    keep = tmp_path / 'keep.txt'
    keep.write_text('\n'.join(chosen) + '\n')
    assert ImageSet(images.dataset, keep).paths == chosen
    # A list of another machine, with its labels behind tabs.
    keep.write_text('\n'.join(f'/elsewhere/{Path(path).name}\tlabel.png' for path in chosen))
    assert ImageSet(images.dataset, keep).indices == [3, 1]
    keep.write_text(f'{chosen[0]}\nnobody.png\n')
    with pytest.raises(ValueError, match=r"of 2 images 1 are not in the data set \(the first: 'nobody.png'\)"):
        ImageSet(images.dataset, keep)
    keep.write_text('')
    with pytest.raises(ValueError, match='of 0 images'):
        ImageSet(images.dataset, keep)


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


@pytest.mark.parametrize(
    'changes, error, message',
    [
        (dict(at='pixel'), ValueError, "at is 'pixel', expected one of"),
        (dict(strategy=dict(type='ClassBalanced', portion=1.5)), ValueError, 'portion=1.5'),
        (
            dict(strategy=dict(type='argmax')),
            ValueError,
            "stage 'label': there is no label strategy 'argmax': did you mean Argmax",
        ),
    ],
)
def test_mistakes_are_told_when_the_stage_is_built(changes, error, message):
    init_default_scope('mmseg')
    with pytest.raises(error, match=message):
        LabelStage(**{**dict(name='label', weights='x', strategy=dict(type='Argmax')), **changes})


def test_a_replaced_file_is_another_input(cfg, tmp_path):
    weights, keep = tmp_path / 'model.pth', tmp_path / 'keep.txt'
    stage = LabelStage('label', str(weights), dict(type='Argmax'), images=str(keep))

    def inputs() -> dict:
        ctx = make_context(cfg, [stage])
        return {source: ctx.identity(source) for source in stage.inputs(ctx)}

    weights.write_bytes(b'1')
    assert inputs()[str(keep)] is None
    keep.write_text('a.png')
    before = inputs()
    assert set(before) == {str(weights), str(keep)} and inputs() == before
    weights.write_bytes(b'2')
    assert inputs()[str(weights)] != before[str(weights)] and inputs()[str(keep)] == before[str(keep)]


def test_thresholds_have_a_resolution_of_their_own():
    strategy = dict(type='MedianCap')
    assert LabelStage('a', 'w', strategy, thresholds_at='input').thresholds_at == 'input'
    with pytest.raises(ValueError, match="thresholds_at is 'low'"):
        LabelStage('a', 'w', strategy, thresholds_at='low')
    with pytest.raises(ValueError, match='a prior has one resolution'):
        LabelStage('a', 'w', strategy, prior='p.npz', thresholds_at='input')
