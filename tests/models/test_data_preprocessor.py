"""The preprocessor of domain pairs."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from toolbox import labelled_side, pair_batch, side, tiny_adaptor

from mmuda.models import DomainPairPreprocessor, pixel_statistics

SIZE = (40, 56)


def test_domains_are_processed_apart_and_plain_batches_as_mmseg():
    preprocessor = DomainPairPreprocessor(mean=[1.0, 2.0, 3.0], std=[2.0, 2.0, 2.0])
    data = pair_batch()
    out = preprocessor(data, training=True)
    assert out['source']['inputs'].shape == (2, 3, 40, 56) and out['target']['inputs'].shape == (2, 3, 48, 40)
    image = data['target']['inputs'][1].float()
    wanted = (image - torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)) / 2
    assert torch.equal(out['target']['inputs'][1], wanted)
    assert 'gt_sem_seg' in out['source']['data_samples'][0] and 'gt_sem_seg' not in out['target']['data_samples'][0]
    plain = preprocessor(side(3, True), training=False)
    assert plain['inputs'].shape == (2, 3, 40, 56)


def test_images_of_different_sizes_are_padded_with_ignored_pixels():
    data = pair_batch()
    small = side(5, True, size=(32, 32), batch_size=1)
    data['source'] = dict(
        inputs=[data['source']['inputs'][0], small['inputs'][0]],
        data_samples=[data['source']['data_samples'][0], small['data_samples'][0]],
    )
    out = DomainPairPreprocessor()(data, training=True)['source']
    assert out['inputs'].shape == (2, 3, 40, 56)
    assert (out['data_samples'][1].gt_sem_seg.data[:, 32:] == 255).all()


@pytest.mark.parametrize('domain', ['source', 'target'])
def test_labels_at_the_stride_of_the_network_are_not_padded(domain):
    data = {domain: labelled_side(1, 2, label_size=(5, 7))}
    given = [sample.gt_sem_seg.data.clone() for sample in data[domain]['data_samples']]
    out = DomainPairPreprocessor(size_divisor=32)(data, training=True)
    assert set(out) == {domain} and out[domain]['inputs'].shape == (2, 3, 64, 64)
    for sample, before, label in zip(out[domain]['data_samples'], data[domain]['data_samples'], given, strict=True):
        assert torch.equal(sample.gt_sem_seg.data, label)
        assert torch.equal(before.gt_sem_seg.data, label), 'the given batch must not change'
        assert sample.img_shape == SIZE


def test_labels_at_the_size_of_the_image_are_padded_with_it():
    out = DomainPairPreprocessor(size_divisor=32)(dict(source=labelled_side(1, 1)), training=True)['source']
    label = out['data_samples'][0].gt_sem_seg.data
    assert label.shape == (1, 64, 64) and (label[:, 40:] == 255).all() and (label[:, :, 56:] == 255).all()


def test_test_images_are_padded_with_zeros_if_the_config_says_so():
    data = dict(
        inputs=[torch.full((3, 37, 61), 9, dtype=torch.uint8)],
        data_samples=[SegDataSample(metainfo=dict(ori_shape=(37, 61)))],
    )
    out = DomainPairPreprocessor(mean=[1.0] * 3, std=[2.0] * 3, test_cfg=dict(size_divisor=8))(data)
    assert torch.equal(out['inputs'], F.pad(torch.full((1, 3, 37, 61), 4.0), (0, 3, 0, 3)))
    assert tuple(out['data_samples'][0].img_padding_size) == (0, 3, 0, 3)


def test_each_domain_has_its_own_statistics():
    own = dict(mean=[5.0, 6.0, 7.0], std=[4.0, 4.0, 4.0], bgr_to_rgb=True)
    preprocessor = DomainPairPreprocessor(mean=[1.0, 2.0, 3.0], std=[2.0, 2.0, 2.0], target=own)
    data = pair_batch()
    out = preprocessor(data, training=True)
    for domain, mean, std, order in (('source', (1, 2, 3), 2, (0, 1, 2)), ('target', (5, 6, 7), 4, (2, 1, 0))):
        image = data[domain]['inputs'][0].float()[list(order)]
        assert torch.equal(out[domain]['inputs'][0], (image - torch.tensor(mean).view(3, 1, 1)) / std)
    plain = dict(inputs=data['target']['inputs'], data_samples=data['target']['data_samples'])
    labelled = preprocessor(dict(data, target_labelled=plain), training=True)['target_labelled']
    assert torch.equal(labelled['inputs'], out['target']['inputs']), (
        'labelled target images must use the target statistics'
    )
    assert torch.equal(preprocessor(plain)['inputs'], out['target']['inputs']), (
        'test images must use the target statistics'
    )
    assert preprocessor.reverses_channels and preprocessor.differs_by_domain
    assert pixel_statistics(preprocessor, 'source')[0].flatten().tolist() == [1, 2, 3]
    raw = DomainPairPreprocessor(mean=[1, 2, 3], std=[1, 1, 1], target=dict(mean=None, std=None))
    assert pixel_statistics(raw, 'target')[0].flatten().tolist() == [0, 0, 0]
    assert pixel_statistics(raw, 'source')[0].flatten().tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match='one mean and one std for both'):
        pixel_statistics(preprocessor)
    with pytest.raises(ValueError, match='one mean and one std for both'):
        tiny_adaptor('DACS', data_preprocessor=dict(type='DomainPairPreprocessor', source=own))


@pytest.mark.parametrize('channels', [1, 5])
def test_any_number_of_channels(channels):
    mean = list(range(channels))
    preprocessor = DomainPairPreprocessor(mean=mean, std=[2.0] * channels, bgr_to_rgb=True)
    batch = dict(target=dict(inputs=[torch.ones(channels, 8, 8)], data_samples=[SegDataSample()]))
    wanted = (1 - torch.arange(float(channels))) / 2
    assert torch.equal(preprocessor(batch, training=True)['target']['inputs'][0, :, 0, 0], wanted)
    if channels > 1:
        batch['target']['inputs'] = [torch.ones(3, 8, 8)]
        with pytest.raises(ValueError, match='an image of the target has 3 channels, but mean and std .* have 5'):
            preprocessor(batch, training=True)


def test_images_that_cannot_be_stacked_are_told():
    samples = [SegDataSample(metainfo=dict(img_path=f'{n}.png')) for n in range(2)]
    batch = dict(inputs=[torch.ones(3, 8, 8), torch.ones(3, 8, 9)], data_samples=samples)
    with pytest.raises(ValueError, match=r'8x8 \(0\.png\), 8x9 \(1\.png\). Set the batch size'):
        DomainPairPreprocessor()(batch)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(mean=[1.0]), 'both domains belong together'),
        (dict(mean=[1.0], std=[1.0, 2.0]), 'belong together'),
        (dict(bgr_to_rgb=True, rgb_to_bgr=True), 'both reverse'),
        (dict(source=dict(size=3)), r"source has \['size'\]"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        DomainPairPreprocessor(**options)
