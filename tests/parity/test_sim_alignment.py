"""Regions, memories and alignment losses of SIM, compared with the original step by step."""

import numpy as np
import pytest
import torch
from golden import golden_files, load, scalar
from mmengine.model import BaseModule
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmuda.models.memories.regions import connected_components, find_regions
from mmuda.models.segmentors import SegOutputs

TOLERANCE = dict(rtol=0, atol=1e-6)


@pytest.mark.parametrize('path', golden_files('sim', 'instances'))
def test_instances(path):
    data = load(path)
    things = data['thing_ids'].tolist()
    for i, label_map in enumerate(data['label_map']):
        for t, c in enumerate(things):
            numbers, components = connected_components(label_map == c)
            np.testing.assert_array_equal(numbers, data['components'][i, t])
            assert len(components) == data['num'][i, t]
            areas = data['areas'][i, t][: len(components)]
            assert sorted((c.number, c.area) for c in components) == list(enumerate(areas.tolist(), 1))
            kept = [c.area for c in components[:10]]
            assert kept == data['top10_area'][i, t][: len(kept)].tolist()
            assert [c.number for c in components[:10]] == data['top10_id'][i, t][: len(kept)].tolist()
    # All images and classes in one call.
    regions = find_regions(torch.from_numpy(data['label_map']), (), things)
    for i in range(len(data['label_map'])):
        for t in range(len(things)):
            wanted = np.full(data['label_map'][i].shape, len(things) * 10)
            for rank, number in enumerate(data['top10_id'][i, t]):
                if number > 0:
                    wanted[data['components'][i, t] == number] = t * 10 + rank
            mine = torch.where(regions.region[i] // 10 == t, regions.region[i], len(things) * 10)
            np.testing.assert_array_equal(mine.numpy(), wanted)
            assert regions.instances[i, t] == min(10, data['num'][i, t])


@MODELS.register_module()
class Lookup(BaseModule):
    """A segmentor with a classifier, whose features and predictions are given."""

    with_auxiliary_head, align_corners = False, True

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.decode_head = MODELS.build(
            dict(type='DeepLabV2Head', in_channels=channels, in_index=0, num_classes=num_classes, summed=(0, 1))
        )
        self.num_classes = num_classes


def build(data: dict, prefix: str, **kwargs):
    """Build SIM with a `Lookup` segmentor and the classifier of a file."""
    weights = {key[len(prefix) :]: torch.from_numpy(value) for key, value in data.items() if key.startswith(prefix)}
    num_classes, channels = weights['0.weight'].shape[:2]
    model = MODELS.build(
        dict(
            type='SIM',
            segmentor=dict(type='Lookup', channels=channels, num_classes=num_classes),
            discriminator=dict(type='FCDiscriminatorHead', in_channels=num_classes, base_channels=2),
            **kwargs,
        )
    )
    model.segmentor.decode_head.load_state_dict({f'branches.{key}': value for key, value in weights.items()})
    return model


def outputs(features: torch.Tensor, predicted: np.ndarray, num_classes: int) -> SegOutputs:
    logits = (
        torch.nn.functional.one_hot(torch.from_numpy(predicted.astype(np.int64)), num_classes)
        .permute(2, 0, 1)[None]
        .float()
    )
    return SegOutputs(dict(main=logits), (features[None],), tuple(logits.shape[-2:]), align_corners=True)


def labelled(label: np.ndarray) -> dict:
    return dict(data_samples=[SegDataSample(gt_sem_seg=PixelData(data=torch.from_numpy(label.astype(np.int64))[None]))])


@pytest.mark.parametrize('path', golden_files('sim', 'stuff_means'))
def test_stuff_means(path):
    data = load(path)
    stuff = data['stuff_ids'].tolist()
    model = build(data, 'conv2d_list.', stuff=stuff, things=(), prototypes=2)
    assert (data['logits'].argmax(0) == data['pred']).all()
    found = outputs(torch.from_numpy(data['feat']), data['pred'], len(data['logits']))
    means, counts, _ = model.pool_regions(found, torch.from_numpy(data['right_label'].astype(np.int64))[None])
    np.testing.assert_array_equal(counts[0, : len(stuff)], data['pixel_count'])
    seen = data['pixel_count'] > 0
    np.testing.assert_allclose(means[0, : len(stuff)].numpy()[seen], data['pooled'][seen], **TOLERANCE)
    np.testing.assert_array_equal(
        model.classify_vectors(means)[0, : len(stuff)].numpy()[seen], data['pooled_pred'][seen]
    )
    model.update_memories(found, labelled(data['label']))
    np.testing.assert_array_equal(model.stuff_memory.count, data['stored'])
    for row in np.flatnonzero(data['stored']):
        np.testing.assert_allclose(model.stuff_memory.entries[row, 0], data['pooled'][row], **TOLERANCE)


@pytest.mark.parametrize('path', [*golden_files('sim', 'align_steps'), *golden_files('sim', 'align_edge')])
def test_memories_and_losses(path):
    data = load(path)
    model = build(
        data,
        'classifier.',
        stuff=data['stuff_ids'].tolist(),
        things=data['thing_ids'].tolist(),
        prototypes=scalar(data, 'num_prototype'),
        count_empty=True,
    )
    assert model.thing_memory.slots == scalar(data, 'num_instance_slots')
    steps = sorted({int(key.split('.')[0][4:]) for key in data if key.startswith('step')})
    assert steps
    # The mean over an empty mask is the zero vector, which the classifier assigns to this class.
    of_zero = int(model.classify_vectors(torch.zeros(1, 1, model.stuff_memory.entries.shape[2])))
    for t in steps:
        step = {key.split('.', 1)[1]: value for key, value in data.items() if key.startswith(f'step{t}.')}
        model.update_memories(
            outputs(torch.from_numpy(step['src_feat']), step['src_pred'], model.num_classes),
            labelled(step['src_label']),
        )
        np.testing.assert_array_equal(model.stuff_memory.count, step['cls_ptr'], err_msg=f'step {t}')
        np.testing.assert_array_equal(model.thing_memory.count, step['ins_ptr'], err_msg=f'step {t}')
        np.testing.assert_allclose(model.stuff_memory.entries, step['cls_mem'], **TOLERANCE)
        np.testing.assert_allclose(model.thing_memory.entries, step['ins_mem'], **TOLERANCE)

        features = torch.from_numpy(step['trg_feat']).requires_grad_()
        losses = model.alignment_losses(outputs(features, step['trg_pred'], model.num_classes))
        for name, key, weight in (('stuff', 'cls', 0.01), ('ins', 'ins', 0.01)):
            loss = losses[f'loss_{name}'] / weight
            np.testing.assert_allclose(loss.item(), step[f'loss_{key}'], **TOLERANCE, err_msg=f'step {t}')
            (grad,) = torch.autograd.grad(loss, features, retain_graph=True, allow_unused=True)
            stored = step.get(f'grad_{key}', np.zeros_like(step['trg_feat']))
            np.testing.assert_allclose(
                np.zeros_like(stored) if grad is None else grad, stored, **TOLERANCE, err_msg=f'step {t}'
            )
        model.count_empty = False
        without = model.alignment_losses(outputs(features, step['trg_pred'], model.num_classes))
        constant = 0.0
        if of_zero in model.stuff and not (step['trg_pred'] == of_zero).any():
            row = model.stuff.index(of_zero)
            if model.stuff_memory.started[row]:
                constant = np.abs(step['cls_mem'][row]).mean(axis=1).min()
        np.testing.assert_allclose((losses['loss_stuff'] - without['loss_stuff']).item() / 0.01, constant, **TOLERANCE)
        assert without['loss_ins'] == losses['loss_ins']
        model.count_empty = True
