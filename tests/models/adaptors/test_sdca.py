"""SDCA: distributions of source pixels, in training and after a resume, and the losses that depend on them."""

import copy

import pytest
import torch
from processes import run_on_processes
from toolbox import NUM_CLASSES, pair_batch, prepared, side, tiny_adaptor, tiny_segmentor, two_stage_head, wrappers_of

from mmuda.engine import AdaptorDistributedDataParallel
from mmuda.models.labels import labels_of, nearest_labels
from mmuda.models.losses import contrastive_bound
from mmuda.models.memories.class_statistics import ClassStatistics

WIDTH = 32
NAMES = {f'{kind}_statistics.{name}' for kind in ('feature', 'output') for name in ('mean', 'variance', 'count')}


def sdca(two_levels: bool = False, **kwargs):
    return tiny_adaptor('SDCA', two_levels, **kwargs).train()


def statistics_of(adaptor) -> dict:
    return {key: value.clone() for key, value in adaptor.state_dict().items() if '_statistics.' in key}


def test_distributions_are_state():
    adaptor = sdca()
    state = statistics_of(adaptor)
    assert set(state) == NAMES
    assert state['feature_statistics.mean'].shape == (NUM_CLASSES, WIDTH)
    assert state['output_statistics.variance'].shape == (NUM_CLASSES, NUM_CLASSES)
    assert not any(value.any() for value in state.values())
    assert not [name for name, _ in adaptor.named_parameters() if 'statistics' in name]


def test_distributions_are_resumed(tmp_path):
    """An iteration after a resume equals the same iteration without an interruption."""
    first = sdca()
    wrappers = wrappers_of(first)
    for seed in range(2):
        first.train_step(pair_batch(seed), wrappers)
    torch.save(dict(model=first.state_dict(), optimizers=wrappers.state_dict()), tmp_path / 'iter_2.pth')
    saved = torch.load(tmp_path / 'iter_2.pth', weights_only=True)

    second = sdca()
    second.load_state_dict(saved['model'])
    assert all(
        torch.equal(value, statistics_of(first)[key]) and value.any() for key, value in statistics_of(second).items()
    )
    wrappers_of_second = wrappers_of(second)
    wrappers_of_second.load_state_dict(saved['optimizers'])
    logs = [
        adaptor.train_step(pair_batch(2), chosen)
        for adaptor, chosen in ((first, wrappers), (second, wrappers_of_second))
    ]
    assert logs[0] == logs[1]
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key]), key


def test_target_pixels_never_touch_the_distributions():
    states = []
    for target_seed in (5, 6):
        adaptor = sdca(delta=0.0)
        data = prepared(adaptor, dict(source=side(0, True), target=side(target_seed, False, size=(48, 40))))
        during = []
        for _, part in adaptor.adapt(data['source'], data['target']):
            losses = part
            during.append(statistics_of(adaptor))
        assert losses['loss_feat_target'] > 0 and losses['loss_out_target'] > 0, 'all target pixels must take part'
        assert len(during) == 2
        states += during
    assert states[0]['feature_statistics.count'].sum() > 0
    for other in states[1:]:
        assert all(torch.equal(value, states[0][key]) for key, value in other.items())


def test_distributions_are_those_of_labelled_source_pixels_and_come_before_the_losses(batch):
    adaptor = sdca(tau=1.0).eval()
    data = prepared(adaptor, batch)
    with torch.no_grad():
        outputs = adaptor.segment(data['source'])
        labels = nearest_labels(labels_of(data['source']), outputs.logits['main'].shape[-2:])
        expected, losses = {}, {}
        for name, maps in (('feature', outputs.features[3]), ('output', outputs.logits['main'])):
            statistics = ClassStatistics(NUM_CLASSES, maps.shape[1])
            statistics.update(maps, labels)
            expected.update({f'{name}_statistics.{key}': value for key, value in statistics.state_dict().items()})
            losses[name] = contrastive_bound(maps, labels, statistics.mean, statistics.variance, 1.0)
        _, found = next(adaptor.adapt(data['source'], data['target']))
    for key, value in statistics_of(adaptor).items():
        torch.testing.assert_close(value, expected[key])
    torch.testing.assert_close(found['loss_feat_source'], losses['feature'])
    torch.testing.assert_close(found['loss_out_source'], losses['output'])


def test_no_confident_target_pixel_is_no_loss():
    """With delta above 1, the target losses are zero without gradients, and training continues on the source."""
    adaptor = sdca(delta=1.1)
    data = prepared(adaptor, pair_batch())
    parts = adaptor.adapt(data['source'], data['target'])
    next(parts)
    name, losses = next(parts)
    assert name == 'segmentor' and set(losses) == {'loss_feat_target', 'loss_out_target'}
    assert all(loss == 0 for loss in losses.values())
    gradients = torch.autograd.grad(sum(losses.values()), list(adaptor.segmentor.parameters()), allow_unused=True)
    assert not any(gradient.any() for gradient in gradients if gradient is not None)

    weights = {}
    for delta in (1.1, 0.0):
        adaptor = sdca(delta=delta, loss_weights=dict(feat=100.0, out=100.0))
        logs = adaptor.train_step(pair_batch(), wrappers_of(adaptor))
        assert (logs['loss_feat_target'] > 0) == (logs['loss_out_target'] > 0) == (delta == 0)
        weights[delta] = adaptor.segmentor.decode_head.branches[0].weight.detach()
    assert weights[1.1].isfinite().all() and not torch.equal(weights[1.1], weights[0.0])


def test_one_level(batch):
    adaptor = sdca(multi_level=False, delta=0.0)
    assert adaptor.output_statistics is None
    assert set(statistics_of(adaptor)) == {name for name in NAMES if name.startswith('feature')}
    logs = adaptor.train_step(batch, wrappers_of(adaptor))
    assert set(logs) == {'loss_seg_main', 'loss_lov_main', 'loss_feat_source', 'loss_feat_target'}
    assert adaptor.feature_statistics.count.any()


@pytest.mark.parametrize('training', [False, True])
def test_gather(batch, training):
    """Gathering does not change weights. In eval mode, which the stage uses, it does not change batch-norm either."""
    adaptor = sdca().train(training)
    data = prepared(adaptor, batch)['source']
    before = {key: value.clone() for key, value in adaptor.state_dict().items()}
    with_graph = []
    handle = adaptor.segmentor.decode_head.register_forward_hook(lambda *args: with_graph.append(args[2].requires_grad))
    adaptor.gather(data)
    handle.remove()
    assert with_graph == [False]
    assert adaptor.training == training and all(p.grad is None for p in adaptor.parameters())
    changed = {key for key, value in adaptor.state_dict().items() if not torch.equal(value, before[key])}
    assert NAMES <= changed and not changed & {name for name, _ in adaptor.named_parameters()}
    assert training or changed == NAMES

    with torch.no_grad():
        outputs = adaptor.segment(data)
    labels = adaptor.source_labels(outputs, data)
    assert labels.shape == (2, 6, 8)
    assert torch.equal(
        adaptor.feature_statistics.count, torch.bincount(labels[labels != 255], minlength=NUM_CLASSES).double()
    )
    twice = statistics_of(adaptor)
    adaptor.gather(data)
    assert torch.equal(adaptor.output_statistics.count, 2 * twice['output_statistics.count'])


def test_gathered_image_by_image(batch):
    adaptors = [sdca().eval() for _ in range(2)]
    data = prepared(adaptors[0], batch)['source']
    adaptors[0].gather(data)
    for i in range(2):
        adaptors[1].gather(dict(inputs=data['inputs'][i : i + 1], data_samples=data['data_samples'][i : i + 1]))
    whole, apart = map(statistics_of, adaptors)
    for key, value in whole.items():
        torch.testing.assert_close(apart[key], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('two_levels', [False, True])
def test_a_step(two_levels, batch):
    adaptor = sdca(two_levels, delta=0.0)
    before = {name: value.detach().clone() for name, value in adaptor.named_parameters()}
    logs = adaptor.train_step(batch, wrappers_of(adaptor))
    assert not [name for name, value in adaptor.named_parameters() if torch.equal(before[name], value)]
    aux = {'loss_seg_aux'} if two_levels else set()
    assert set(logs) == {
        'loss_seg_main',
        'loss_lov_main',
        *aux,
        *(f'loss_{name}_{domain}' for name in ('feat', 'out') for domain in ('source', 'target')),
    }
    assert all(value.isfinite() and not value.requires_grad for value in logs.values())


def test_the_log_shows_unweighted_values(batch):
    logs = []
    for weight in (1.0, 7.0):
        adaptor = sdca(delta=0.0, loss_weights=dict(feat=weight, out=weight, lov_main=weight))
        logs.append(adaptor.train_step(copy.deepcopy(batch), wrappers_of(adaptor)))
    assert logs[0] == logs[1]


def test_half_precision(batch):
    logs = {}
    for precision in ('float32', 'bfloat16'):
        adaptor = sdca(delta=0.0)
        kwargs = {} if precision == 'float32' else dict(precision=precision)
        logs[precision] = adaptor.train_step(copy.deepcopy(batch), wrappers_of(adaptor, lr=0.0, **kwargs))
        assert all(value.isfinite().all() for value in statistics_of(adaptor).values())
        assert all(p.isfinite().all() for p in adaptor.parameters())
    for key, value in logs['float32'].items():
        assert logs['bfloat16'][key].dtype == torch.float32
        torch.testing.assert_close(logs['bfloat16'][key], value, rtol=0.03, atol=0.03)


@pytest.mark.parametrize('tau', [0.0, -1.0, float('nan')])
def test_temperature_must_be_positive(tau):
    with pytest.raises(ValueError, match=f'SDCA: tau={tau}, expected a positive temperature'):
        sdca(tau=tau)


def test_a_head_that_enlarges_is_refused(batch, monkeypatch):
    adaptor = sdca()
    forward = adaptor.decode_head.forward
    monkeypatch.setattr(adaptor.decode_head, 'forward', lambda inputs: forward(inputs).repeat_interleave(2, dim=-1))
    with pytest.raises(
        ValueError, match=r'the features are \(\d+, \d+\) and the logits \(\d+, \d+\) \(H, W\): choose a decode head'
    ):
        adaptor.train_step(batch, wrappers_of(adaptor))


def test_a_head_of_several_stages_is_refused():
    segmentor = tiny_segmentor(two_levels=False)
    segmentor.decode_head = two_stage_head()
    with pytest.raises(
        ValueError,
        match=r'SDCA needs a decode head that takes one feature map, .* its in_index is \(2, 3\) and .*: choose a head',
    ):
        sdca(segmentor=segmentor)


def two_levels(multi_level: bool):
    """Build SDCA whose delta accepts all target pixels, since an untrained network is not confident."""
    return tiny_adaptor('SDCA', multi_level=multi_level, delta=0.1, tau=1.0).eval()


def three_steps(model, rank: int | None = None) -> dict:
    """Return the distributions after three steps, on the whole batch or on the image of one rank.

    The learning rate is zero, because losses are means over different numbers of pixels on each rank.
    """
    bare = getattr(model, 'module', model)
    wrappers = wrappers_of(bare, lr=0.0)
    for _ in range(3):
        batch = pair_batch(batch_size=2)
        if rank is not None:
            batch = {name: {key: one[key][rank : rank + 1] for key in one} for name, one in batch.items()}
        model.train_step(batch, wrappers)
    return statistics_of(bare)


def three_steps_of_a_rank(rank: int) -> list:
    return [three_steps(AdaptorDistributedDataParallel(two_levels(multi_level)), rank) for multi_level in (True, False)]


def test_two_processes_have_the_distributions_of_one(tmp_path):
    """Two processes have the distributions of one process and do not wait for heads without gradients."""
    wanted = [three_steps(two_levels(multi_level)) for multi_level in (True, False)]
    assert all(value.any() for state in wanted for value in state.values())
    for found in run_on_processes(three_steps_of_a_rank, tmp_path):
        for state, whole in zip(found, wanted, strict=True):
            assert set(state) == set(whole)
            for name, value in whole.items():
                torch.testing.assert_close(
                    state[name], value, rtol=1e-4, atol=1e-5, msg=lambda text, n=name: f'{n}: {text}'
                )
