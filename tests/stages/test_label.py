"""Labelling stages: their settings and inputs."""

import pytest
from mmengine.registry import init_default_scope
from toolbox import tiny_config

from mmuda.datasets import build_dataset
from mmuda.engine.probabilities import inference_dataset
from mmuda.stages import LabelStage, make_context
from mmuda.stages.inference import ImageSet


@pytest.fixture
def cfg(minicity, tmp_path):
    init_default_scope('mmseg')
    return tiny_config('source_only', minicity, tmp_path)


@pytest.fixture
def images(cfg) -> ImageSet:
    return ImageSet(build_dataset(inference_dataset(cfg)))


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
