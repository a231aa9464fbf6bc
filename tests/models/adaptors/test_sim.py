"""SIM: gradients of its losses, its saved state, its errors. tests/parity compares stored values."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.structures import PixelData
from processes import run_on_processes
from toolbox import NUM_CLASSES, pair_batch, side, tiny_adaptor, tiny_segmentor, wrappers_of

from mmuda.datasets import DomainPairDataset
from mmuda.engine import AdaptorDistributedDataParallel

SEEN = dict(stuff=(0, 1), things=(2, 3), prototypes=1)


def sim(**kwargs):
    critic = dict(type='FCDiscriminatorHead', in_channels=NUM_CLASSES, base_channels=2)
    return tiny_adaptor('SIM', two_levels=False, discriminator=critic, **{**SEEN, **kwargs})


def fill(model) -> None:
    """Fill the memories with random vectors."""
    for memory in (model.stuff_memory, model.thing_memory):
        memory.entries.normal_()
        memory.count.fill_(memory.slots + 1)


def prepared(model, **kwargs) -> dict:
    return model.data_preprocessor(copy.deepcopy(pair_batch(**kwargs)), training=True)


def decided(model):
    """Make a network predict every class, with a classifier of single pixels, so that means keep their class."""
    with torch.no_grad():
        branches = model.segmentor.decode_head.branches
        for branch in branches:
            branch.weight *= torch.zeros(3, 3).index_put((torch.tensor(1), torch.tensor(1)), torch.tensor(1.0))
        branches[0].bias -= model.segment(prepared(model)['source']).logits['main'].mean(dim=(0, 2, 3))
    return model


def agreeing(model, batch: dict) -> dict:
    """Set the labels of a batch to the predictions of the network, so that its features enter the memories."""
    predicted = model.segment(batch).upsample('main').argmax(dim=1)
    for sample, label in zip(batch['data_samples'], predicted, strict=True):
        sample.gt_sem_seg = PixelData(data=label[None])
    return batch


def test_nothing_is_aligned_before_there_are_memories():
    model = sim().eval()
    losses = model.alignment_losses(model.segment(prepared(model)['target']))
    assert set(losses) == {'loss_stuff', 'loss_ins'} and all(loss == 0 for loss in losses.values())
    fill(model)
    assert model.alignment_losses(model.segment(prepared(model)['target']))['loss_ins'] > 0


def test_the_source_is_remembered_and_the_target_is_not():
    model = decided(sim().eval())
    data = prepared(model)
    outputs = model.segment(data['target'])
    model.alignment_losses(outputs)
    assert not model.stuff_memory.count.any() and not model.thing_memory.count.any()
    source = agreeing(model, data['source'])
    model.update_memories(model.segment(source), source)
    counts = model.stuff_memory.count.clone(), model.thing_memory.count.clone()
    assert counts[0].any() and counts[1].any()
    for sample in source['data_samples']:
        sample.gt_sem_seg.data.fill_(255)
    model.update_memories(model.segment(source), source)
    assert torch.equal(counts[0], model.stuff_memory.count), 'only correctly predicted labelled pixels must enter'
    assert torch.equal(counts[1], model.thing_memory.count)


def test_a_batch_is_remembered_image_by_image():
    together, apart = decided(sim().eval()), decided(sim().eval())
    source = agreeing(together, prepared(together)['source'])
    together.update_memories(together.segment(source), source)
    for i in range(2):
        one = dict(inputs=source['inputs'][i : i + 1], data_samples=source['data_samples'][i : i + 1])
        apart.update_memories(apart.segment(one), one)
    for name, value in apart.state_dict().items():
        torch.testing.assert_close(together.state_dict()[name], value, msg=name)
    assert apart.stuff_memory.started.any() and apart.thing_memory.count.max() > 2, (
        'the test needs full memories, where the order of images matters'
    )


def test_losses_are_means_over_images():
    model = sim().eval()
    fill(model)
    target = prepared(model)['target']
    both = model.alignment_losses(model.segment(target))
    single = [model.alignment_losses(model.segment(dict(inputs=target['inputs'][i : i + 1]))) for i in range(2)]
    for name, loss in both.items():
        torch.testing.assert_close(loss, (single[0][name] + single[1][name]) / 2)


def test_whom_the_losses_reach(batch):
    model = sim().train()
    fill(model)
    data = model.data_preprocessor(copy.deepcopy(batch), training=True)
    names = []
    for name, losses in model.adapt(data['source'], data['target']):
        model.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        reached = {
            child
            for child, module in model.named_children()
            if any(p.grad is not None and p.grad.any() for p in module.parameters())
        }
        assert reached == {name}
        names.append((name, sorted(losses)))
    assert names == [
        ('segmentor', ['loss_seg_main']),
        ('segmentor', ['loss_adv_main', 'loss_ins', 'loss_stuff']),
        ('discriminator', ['loss_dis_main_source']),
        ('discriminator', ['loss_dis_main_target']),
    ]
    losses = model.alignment_losses(model.segment(data['target']))
    model.zero_grad(set_to_none=True)
    losses['loss_ins'].backward()
    assert all(p.grad is None for p in model.segmentor.decode_head.parameters()), (
        'the loss must depend on features alone'
    )
    assert any(p.grad is not None and p.grad.any() for p in model.segmentor.backbone.parameters())


class Images(BaseDataset):
    """A data set of two images, with labels or without."""

    METAINFO = dict(classes=tuple('abcd'))

    def __init__(self, labelled: bool) -> None:
        self.labelled = labelled
        super().__init__(pipeline=[self.pack])

    def load_data_list(self) -> list:
        return [dict(seed=seed) for seed in range(2)]

    def pack(self, results: dict) -> dict:
        return {key: values[0] for key, values in side(results['seed'], self.labelled, batch_size=1).items()}


@pytest.mark.parametrize('labelled', [False, True])
def test_pseudo_labels_make_the_second_phase(labelled):
    dataset = DomainPairDataset(Images(True), Images(labelled), pseudo_labels=labelled)
    model = sim().train()
    wrappers = wrappers_of(model)
    logs = model.train_step(pseudo_collate([dataset[n, n, 1 - n] for n in range(2)]), wrappers)
    assert ('loss_seg_target' in logs) == labelled and all(torch.isfinite(value) for value in logs.values())
    assert not labelled or logs['loss_seg_target'] > 0


def test_memories_are_saved_and_resumed(batch):
    model, other = sim().train(), sim().train()
    wrappers_of(model)
    fill(model)
    state = model.state_dict()
    assert {'stuff_memory.entries', 'stuff_memory.count', 'thing_memory.entries', 'thing_memory.count'} <= set(state)
    assert 'region_classes' not in state
    other.load_state_dict(state)
    for name in ('stuff_memory', 'thing_memory'):
        ours, theirs = getattr(other, name), getattr(model, name)
        assert (
            torch.equal(ours.entries, theirs.entries) and torch.equal(ours.count, theirs.count) and ours.started.all()
        )
    ours, theirs = (one.eval().alignment_losses(one.segment(prepared(one)['target'])) for one in (other, model))
    assert ours == theirs and ours['loss_ins'] > 0


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(stuff=(0, 2)), 'must be different ids of the 4 classes'),
        (dict(things=(2, 4)), 'must be different ids'),
        (dict(stuff=(-1, 0)), 'must be different ids'),
        (dict(things=(2, 2)), 'must be different ids'),
        (dict(prototypes=0), 'must be at least 1'),
        (dict(instances=0), 'must be at least 1'),
        (dict(gan='other'), "gan='other'"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sim(**options)


def test_an_auxiliary_head_is_refused():
    critic = dict(type='FCDiscriminatorHead', in_channels=NUM_CLASSES, base_channels=2)
    with pytest.raises(ValueError, match='SIM has one level: remove segmentor.auxiliary_head'):
        sim(segmentor=tiny_segmentor(two_levels=True), aux_discriminator=critic)
    with pytest.raises(ValueError, match='every level needs its discriminator'):
        sim(segmentor=tiny_segmentor(two_levels=True))


@pytest.mark.parametrize('lists', [dict(stuff=()), dict(things=())])
def test_one_kind_alone(lists):
    model = sim(**lists).eval()
    fill(model)
    data = prepared(model)
    source = agreeing(model, data['source'])
    model.update_memories(model.segment(source), source)
    losses = model.alignment_losses(model.segment(data['target']))
    assert losses['loss_stuff' if 'stuff' in lists else 'loss_ins'] == 0
    assert all(torch.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize('count_empty', [False, True])
def test_stuff_that_is_not_there(count_empty):
    """Images without stuff give no loss, though the classifier gives class 0 to a zero vector."""
    model = sim(count_empty=count_empty).eval()
    fill(model)
    head = model.segmentor.decode_head
    with torch.no_grad():
        for branch in head.branches:
            branch.weight.zero_()
            branch.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    outputs = model.segment(prepared(model)['target'])
    outputs.logits['main'] = torch.zeros_like(outputs.logits['main']).index_fill(
        1, torch.tensor(2), 1.0
    )  # a thing class everywhere
    losses = model.alignment_losses(outputs)
    constant = model.stuff_memory.entries[0].abs().mean(dim=1).min() if count_empty else torch.zeros(())
    torch.testing.assert_close(losses['loss_stuff'], constant * model.loss_weights['stuff'])
    (grad,) = torch.autograd.grad(losses['loss_stuff'], outputs.features[3], retain_graph=True)
    assert not grad.any() and losses['loss_ins'] > 0


def test_asking_the_classifier_leaves_it_alone():
    """Classification of vectors does not depend on the others, and the batch-norm of the head does not change."""
    segmentor = tiny_segmentor(two_levels=False)
    segmentor.decode_head = ConfigDict(
        type='FCNHead',
        in_channels=32,
        in_index=3,
        channels=4,
        num_convs=1,
        num_classes=NUM_CLASSES,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    )
    model = sim(segmentor=segmentor).train()
    before = {name: value.clone() for name, value in model.segmentor.decode_head.state_dict().items()}
    vectors = torch.randn(1, 6, 32)
    together = model.classify_vectors(vectors)
    alone = torch.cat([model.classify_vectors(vectors[:, i : i + 1]) for i in range(6)], dim=1)
    assert torch.equal(together, alone) and model.segmentor.decode_head.training
    assert all(torch.equal(before[name], value) for name, value in model.segmentor.decode_head.state_dict().items())


def test_half_precision(batch):
    model = sim().train()
    fill(model)
    wrappers = wrappers_of(model, precision='bfloat16')
    logs = model.train_step(batch, wrappers)
    assert all(torch.isfinite(value) for value in logs.values()) and logs['loss_ins'] > 0


def test_what_is_sent_to_other_processes_is_contiguous(monkeypatch):
    """Tensors are contiguous before they are sent to other processes, as NCCL requires."""
    import mmuda.models.adaptors.sim as module

    model, sent = decided(sim().eval()), []
    monkeypatch.setattr(module, 'get_world_size', lambda: 2)
    monkeypatch.setattr(module, 'all_gather', lambda value: sent.append(value) or [value, value])
    batch = agreeing(model, prepared(model)['source'])
    model.update_memories(model.segment(batch), batch)
    assert len(sent) == 2 and all(value.is_contiguous() for value in sent) and model.stuff_memory.count.sum() > 0


def test_memories_of_half_precision():
    model = sim().half()
    fill(model)
    vectors = torch.rand(2, 3, model.stuff_memory.entries.shape[2])
    assert model.stuff_memory.distance(vectors).dtype == torch.float32


def trained(model, rank: int) -> None:
    """Train three steps on the image of a rank, with the predictions before the first step as labels."""
    bare = getattr(model, 'module', model)
    wrappers = wrappers_of(bare, lr=1e-4)
    labels = [sample.gt_sem_seg for sample in agreeing(bare, prepared(bare)['source'])['data_samples']]
    for _ in range(3):
        batch = copy.deepcopy(pair_batch(batch_size=2))
        for sample, label in zip(batch['source']['data_samples'], labels, strict=True):
            sample.gt_sem_seg = label
        model.train_step(
            {name: {key: one[key][rank : rank + 1] for key in one} for name, one in batch.items()}, wrappers
        )


def memories_of_a_rank(rank: int) -> list:
    """Return the states after one image of a rank, with and without gathering, and after a training."""
    states = []
    for gather in (True, False):
        model = decided(sim(gather=gather).eval())
        source = agreeing(model, prepared(model)['source'])
        own = {key: source[key][rank : rank + 1] for key in source}
        model.update_memories(model.segment(own), own)
        states.append(model.state_dict())
    model = AdaptorDistributedDataParallel(decided(sim().train()))
    trained(model, rank)
    return [*states, model.module.state_dict()]


def test_two_processes_remember_the_images_of_both(tmp_path):
    (first, first_own, first_run), (second, second_own, second_run) = run_on_processes(memories_of_a_rank, tmp_path)
    whole = decided(sim().eval())
    source = agreeing(whole, prepared(whole)['source'])
    whole.update_memories(whole.segment(source), source)
    names = [name for name in first if 'memory' in name]
    for name in names:
        torch.testing.assert_close(first[name], whole.state_dict()[name], msg=name)
        assert torch.equal(first[name], second[name]), name
        assert torch.equal(first_run[name], second_run[name]), f'{name} must be equal after training'
    assert any(not torch.equal(first_own[name], second_own[name]) for name in names)
    for state in (first, first_run):
        assert state['stuff_memory.count'].any() and state['thing_memory.count'].any()
