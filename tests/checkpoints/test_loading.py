"""Loading of checkpoints: strict, with clear errors."""

import pytest
import torch
from mmengine.logging import MMLogger
from mmseg.registry import MODELS
from toolbox import tiny_adaptor, tiny_segmentor

from mmuda.checkpoints import latest_checkpoint, load_weights, weights_digest
from mmuda.checkpoints.loading import network_of
from mmuda.models import BaseAdaptor


def test_latest_is_what_was_written_last(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    for name in ('iter_9.pth', 'iter_10.pth', 'iter_11.pth.part', 'iter_x.pth', 'other_99.pth'):
        (tmp_path / name).touch()
    assert latest_checkpoint(tmp_path).endswith('iter_10.pth'), (
        'without the file last_checkpoint, the highest number must count'
    )
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_9.pth')
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'iter_9.pth')
    for torn in ('', '/elsewhere/iter_', '/elsewhere/iter_7.pth'):
        (tmp_path / 'last_checkpoint').write_text(torn)
        assert latest_checkpoint(tmp_path).endswith('iter_10.pth')


def test_a_plain_mmseg_checkpoint_goes_into_the_segmentor():
    adaptor = tiny_adaptor('ADVENT')
    weights = {key: torch.full_like(value, 3) for key, value in MODELS.build(tiny_segmentor()).state_dict().items()}
    left_out = load_weights(adaptor, dict(state_dict=weights), 'plain.pth')
    assert left_out == ['aux_discriminator', 'discriminator']
    assert all((value == 3).all() for value in adaptor.segmentor.state_dict().values())


def test_an_adaptor_checkpoint_goes_into_a_plain_segmentor_and_other_adaptors():
    state = tiny_adaptor('ADVENT').state_dict()
    segmentor = MODELS.build(tiny_segmentor())
    load_weights(segmentor, dict(state_dict=state), 'x.pth')
    assert torch.equal(segmentor.backbone.conv1.weight, state['segmentor.backbone.conv1.weight'])
    assert load_weights(tiny_adaptor('MinEnt'), dict(state_dict=state), 'x.pth') == [
        'aux_discriminator',
        'discriminator',
    ]
    with pytest.raises(RuntimeError, match='unexpected: .*discriminator.convs'):
        load_weights(tiny_adaptor('MinEnt'), dict(state_dict=state), 'x.pth', strict=True)


def test_the_teacher_of_an_adaptor_is_a_network_of_its_own():
    adaptor = tiny_adaptor('DACS', two_levels=False)
    with torch.no_grad():
        for weight in adaptor.teacher.parameters():
            weight.fill_(3)
    checkpoint = dict(state_dict=adaptor.state_dict(), meta=dict(iter=4))
    teacher = network_of(checkpoint, 'teacher', 'x.pth')
    assert teacher['meta'] == checkpoint['meta']
    for model in (MODELS.build(tiny_segmentor(two_levels=False)), tiny_adaptor('DACS', two_levels=False)):
        load_weights(model, teacher, 'x.pth')
        assert (getattr(model, 'segmentor', model).backbone.conv1.weight == 3).all()
    assert network_of(checkpoint, 'segmentor', 'x.pth') is checkpoint
    with pytest.raises(RuntimeError, match="x.pth holds no network 'student', but segmentor, teacher"):
        network_of(checkpoint, 'student', 'x.pth')


def lines_about_weights(caplog) -> list[str]:
    return [record.message for record in caplog.records if record.message.startswith('x.pth')]


def test_the_log_says_how_children_start_that_the_checkpoint_lacks(caplog):
    MMLogger.get_instance('test_left_out').addHandler(caplog.handler)
    state = tiny_adaptor('ADVENT', two_levels=False).state_dict()
    dacs = tiny_adaptor('DACS', two_levels=False)
    assert load_weights(dacs, dict(state_dict=state), 'x.pth') == ['discriminator', 'random', 'teacher']
    assert lines_about_weights(caplog) == [
        'x.pth: left out discriminator, which this DACS does not have',
        'x.pth: has no random, so it starts with the seed of the run',
        'x.pth: has no teacher, so it starts as a copy of the segmentor',
    ]
    caplog.clear()
    plain = {key: value for key, value in state.items() if key.startswith('segmentor.')}
    load_weights(tiny_adaptor('ADVENT', two_levels=False), dict(state_dict=plain), 'x.pth')
    assert lines_about_weights(caplog) == ['x.pth: has no discriminator, so it keeps its initial values']
    caplog.clear()
    load_weights(dacs, network_of(dict(state_dict=dacs.state_dict()), 'teacher', 'x.pth'), 'x.pth')
    assert lines_about_weights(caplog) == ['x.pth: its teacher is used as the segmentor']


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda state: state.pop('segmentor.backbone.conv1.weight'), 'missing: segmentor.backbone.conv1.weight'),
        (lambda state: state.update({'segmentor.new': torch.zeros(1)}), 'unexpected: segmentor.new'),
        (
            lambda state: state.update({'segmentor.decode_head.branches.0.bias': torch.zeros(7)}),
            r'another shape \(checkpoint, model\): segmentor.decode_head.branches.0.bias \(7,\) \(4,\)',
        ),
        (lambda state: state.pop('discriminator.convs.0.bias'), 'missing: discriminator.convs.0.bias'),
        (
            lambda state: state.update({'segmentor.decode_head.branches.0.bias': torch.zeros(4, dtype=torch.int32)}),
            r'another type \(checkpoint, model\): segmentor.decode_head.branches.0.bias torch.int32 torch.float32',
        ),
        (
            lambda state: state.update({'module.segmentor.backbone.conv1.weight': torch.zeros(1)}),
            'holds some weights twice',
        ),
        (lambda state: state.update(epoch=3), 'epoch are not plain tensors'),
        (lambda state: state.update({7: torch.zeros(1)}), 'holds a dict where the weights of a network were expected'),
    ],
)
def test_every_mismatch_is_listed(change, message):
    adaptor = tiny_adaptor('ADVENT')
    before = {key: value.clone() for key, value in adaptor.state_dict().items()}
    state = {key: value + 1 for key, value in adaptor.state_dict().items()}
    change(state)
    with pytest.raises(RuntimeError, match=message):
        load_weights(adaptor, dict(state_dict=state), 'x.pth')
    assert all(torch.equal(before[key], value) for key, value in adaptor.state_dict().items()), 'no weight may change'


def test_half_precision_of_everything_loads():
    """A checkpoint in half precision loads, including its counters, which ``half()`` makes floating."""
    adaptor = tiny_adaptor('ADVENT')
    assert (
        load_weights(
            adaptor, dict(state_dict={key: value.half() for key, value in adaptor.state_dict().items()}), 'x.pth'
        )
        == []
    )


@pytest.mark.parametrize('content', [[1], dict(state_dict=[1]), dict(state_dict=torch.zeros(3)), None])
def test_what_holds_no_weights_is_named(content):
    with pytest.raises(RuntimeError, match='x.pth holds a .* where the weights of a network were expected'):
        load_weights(tiny_adaptor('ADVENT'), content, 'x.pth')


@pytest.mark.parametrize('meta', [None, 3, dict(summed_branches=3), dict(summed_branches=None)])
def test_other_meta_information_does_not_matter(meta):
    adaptor = tiny_adaptor('ADVENT')
    assert load_weights(adaptor, dict(state_dict=adaptor.state_dict(), meta=meta), 'x.pth') == []


class WithState(BaseAdaptor):
    """A method with a buffer and with a teacher that has batch-norm."""

    def __init__(self, **kwargs) -> None:
        super().__init__(tiny_segmentor(), **kwargs)
        self.teacher = MODELS.build(tiny_segmentor())
        self.register_buffer('prototypes', torch.ones(4, 8))
        self.freeze('teacher')

    def adapt(self, source, target):
        yield 'segmentor', self.supervised_losses(self.segment(source), source)


def test_state_that_only_one_side_has_is_left_out_and_told():
    plain, rich = tiny_adaptor('SourceOnly'), WithState()
    assert load_weights(rich, dict(state_dict=plain.state_dict()), 'x.pth') == ['prototypes', 'teacher']
    assert torch.equal(rich.segmentor.backbone.conv1.weight, plain.segmentor.backbone.conv1.weight)
    assert load_weights(plain, dict(state_dict=rich.state_dict()), 'x.pth') == ['prototypes', 'teacher']
    assert load_weights(rich, dict(state_dict=rich.state_dict()), 'x.pth', strict=True) == []
    with pytest.raises(RuntimeError, match='missing: prototypes, teacher'):
        load_weights(rich, dict(state_dict=plain.state_dict()), 'x.pth', strict=True)


def test_old_files_without_batch_counters_load():
    adaptor = tiny_adaptor('SourceOnly')
    state = {key: value + 1 for key, value in adaptor.state_dict().items() if not key.endswith('num_batches_tracked')}
    for counter in (value for key, value in adaptor.state_dict().items() if key.endswith('num_batches_tracked')):
        counter.fill_(7)
    load_weights(adaptor, dict(state_dict=state), 'old.pth')
    for key, value in adaptor.state_dict().items():
        assert torch.equal(value, state.get(key, torch.tensor(0))), key


def test_the_digest_is_that_of_the_weights_alone():
    state = tiny_adaptor('SourceOnly').state_dict()
    digest = weights_digest(dict(state_dict=state, meta=dict(time='now')), 'x.pth')
    assert len(digest) == 64
    assert weights_digest(dict(reversed(state.items())), 'x.pth') == digest, (
        'the digest must depend on the weights alone'
    )
    key, value = next(iter(state.items()))
    for other in ({key: value + 1}, {key: value.double()}, {key: value.flatten()}, {'new': torch.ones(1)}):
        assert weights_digest({**state, **other}, 'x.pth') != digest
