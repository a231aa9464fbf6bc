"""Batches of images of several sizes."""

import torch
from mmseg.structures import SegDataSample
from toolbox import tiny_adaptor

from mmuda.models.image_sizes import in_equal_sizes

SIZES = ((40, 56), (64, 32), (40, 56))


def mixed(places=range(3)) -> dict:
    images = [torch.full((3, *size), 40 * place, dtype=torch.uint8) for place, size in enumerate(SIZES)]
    samples = [SegDataSample(metainfo=dict(ori_shape=size, img_shape=size)) for size in SIZES]
    return dict(inputs=[images[place] for place in places], data_samples=[samples[place] for place in places])


def test_each_image_is_predicted_as_alone():
    model = tiny_adaptor('SourceOnly').eval()
    alone = [model.test_step(mixed([place]))[0].pred_sem_seg.data for place in range(3)]
    for step in (model.test_step, model.val_step):
        together = [sample.pred_sem_seg.data for sample in step(mixed())]
        assert [one.shape[-2:] for one in together] == list(SIZES)
        assert all(torch.equal(*pair) for pair in zip(alone, together, strict=True))
    assert [tuple(one.shape[-2:]) for one in model.probabilities(mixed())] == list(SIZES)


def test_images_of_one_size_are_predicted_together():
    counts = []
    in_equal_sizes(lambda part: counts.append(len(part['data_samples'])) or part['inputs'], mixed())
    assert counts == [2, 1]
    in_equal_sizes(lambda part: counts.append(len(part['inputs'])) or part['inputs'], mixed([0, 2]))
    assert counts == [2, 1, 2]
