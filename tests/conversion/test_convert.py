"""Converters: what they refuse, what they say, and that the result tests and trains."""

from pathlib import Path

import pytest
import torch
from mmseg.registry import MODELS
from originals import original
from toolbox import CONFIGS
from traps import Trap

from mmuda.checkpoints import UntrustedCheckpoint, load_weights, read_checkpoint
from mmuda.conversion import convert
from mmuda.engine.launch import load_config
from mmuda.models import DeepLabVGG16


@pytest.fixture
def config(tmp_path) -> Path:
    """ADVENT's network at toy width."""
    path = tmp_path / 'tiny.py'
    path.write_text(f"""
_base_ = {str(CONFIGS / 'advent/gta2city.py')!r}
head = dict(num_classes=3, dilations=(1, 2, 3, 4))
model = dict(segmentor=dict(
    backbone=dict(depth=50, base_channels=2, stem_channels=2, init_cfg=None),
    auxiliary_head=dict(in_channels=32, **head), decode_head=dict(in_channels=64, **head)))
test_dataloader = dict(dataset=dict(metainfo=dict(classes=('road', 'car', 'sky'))))
""")
    return path


def run(origin, tmp_path, content, config=None, **kwargs):
    torch.save(content, tmp_path / 'original.pth')
    return convert(origin, tmp_path / 'original.pth', tmp_path / 'out/ours.pth', CONFIGS, config, **kwargs)


def test_values_and_meta(tmp_path, config):
    state = original(config)
    done = run('advent', tmp_path, {key: value for key, value in state.items() if 'num_batches' not in key}, config)
    content = torch.load(done.path, weights_only=True)
    weights = content['state_dict']
    assert torch.equal(weights['decode_head.branches.2.weight'], state['layer6.conv2d_list.2.weight'])
    assert torch.equal(weights['backbone.layer3.1.conv2.weight'], state['layer3.1.conv2.weight'])
    assert weights['backbone.bn1.num_batches_tracked'] == 0, 'old files do not count'
    meta = content['meta']
    assert 'config' not in meta, 'mmengine would execute it'
    assert meta['fits'].endswith('/tiny.py')
    assert meta['origin'] == 'advent' and meta['method'] == 'ADVENT or IntraDA' and meta['source'] == 'original.pth'
    assert meta['classes'] == ['road', 'car', 'sky'] and meta['palette'][0] == [128, 64, 128]
    assert meta['dataset_meta'] == dict(classes=meta['classes'], palette=meta['palette'])
    assert meta['summed_branches'] == dict(decode_head=[0, 1, 2, 3], auxiliary_head=[0, 1, 2, 3])
    adaptor = MODELS.build(load_config(config).model)
    assert load_weights(adaptor, content, 'ours.pth') == ['aux_discriminator', 'discriminator']


def test_wrapped_and_half_precision_weights(tmp_path, config):
    state = {
        f'module.{key}': value.half() if value.is_floating_point() else value for key, value in original(config).items()
    }
    weights = read_checkpoint(run('advent', tmp_path, dict(state_dict=state), config).path)['state_dict']
    assert {value.dtype for value in weights.values()} == {torch.float32, torch.int64}


def test_every_wrong_key_is_listed_and_nothing_is_written(tmp_path, config):
    state = original(config)
    del state['layer2.0.bn1.weight'], state['layer5.conv2d_list.0.bias']
    state['layer9.weight'] = torch.rand(2)
    state['conv1.weight'] = torch.rand(5, 3, 7, 7)
    with pytest.raises(RuntimeError) as caught:
        run('advent', tmp_path, state, config)
    told = str(caught.value)
    assert 'missing: auxiliary_head.branches.0.bias, backbone.layer2.0.bn1.weight' in told
    assert 'unexpected: layer9.weight' in told and 'backbone.conv1.weight (5, 3, 7, 7) (2, 3, 7, 7)' in told
    assert not (tmp_path / 'out').exists()


def test_another_number_of_classes_is_another_network(tmp_path):
    weights = {
        'conv1.weight': torch.rand(4, 3, 7, 7),
        'layer5.conv2d_list.0.weight': torch.rand(7, 4, 3, 3),
        'layer6.conv2d_list.0.weight': torch.rand(7, 4, 3, 3),
    }
    with pytest.raises(
        RuntimeError, match=r'holds a network \(resnet 7 aux\) that no config of ADVENT or IntraDA has.*--config'
    ):
        run('advent', tmp_path, weights)


def test_a_network_and_a_data_set_of_different_classes(tmp_path, config):
    config.write_text(config.read_text().replace("('road', 'car', 'sky')", "('road', 'car')"))
    with pytest.raises(
        RuntimeError, match=r'a network of 3 classes and a data set of 2: .*test_dataloader.dataset.metainfo.classes'
    ):
        run('advent', tmp_path, original(config), config)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('kind, shape', [('weight', (16, 8, 3, 3)), ('bias', (16,)), ('bias', ())])
def test_a_score_layer_of_other_classes_than_its_name_says(tmp_path, kind, shape):
    with pytest.raises(RuntimeError, match=f'original.pth: arg:linear19_{kind} .* as many rows as its name says'):
        run('cbst', tmp_path, {'arg:conv1a_weight': torch.rand(64, 3, 3, 3), f'arg:linear19_{kind}': torch.rand(shape)})


def test_objects_are_only_unpickled_on_request(tmp_path, config):
    marker = tmp_path / 'marker'
    content = dict(state_dict=original(config), args=Trap(marker))
    with pytest.raises(UntrustedCheckpoint, match='--trust reads it all the same: that runs whatever code'):
        run('advent', tmp_path, content, config)
    assert not marker.exists()
    run('advent', tmp_path, content, config, trust=True)
    assert marker.exists()


@pytest.mark.parametrize(
    'key, value, message',
    [
        (
            'conv1.weight',
            torch.zeros(2, 3, 7, 7, dtype=torch.int32),
            r'of another type .*backbone.conv1.weight torch.int32 torch.float32',
        ),
        (
            'layer1.0.bn1.running_var',
            torch.full((2,), float('nan')),
            'infinite or not a number: backbone.layer1.0.bn1.running_var',
        ),
        ('layer1.0.bn1.bias', torch.full((2,), float('inf')), 'infinite or not a number: backbone.layer1.0.bn1.bias'),
        ('conv1.weight', torch.zeros(1, dtype=torch.float16).expand(2**40), r'of another shape .*\(1099511627776,\)'),
    ],
)
def test_weights_that_are_none_are_refused(tmp_path, config, key, value, message):
    """One flipped bit turns the type of an array into another of the same size."""
    with pytest.raises(RuntimeError, match=f'(?s){message}'):
        run('advent', tmp_path, {**original(config), key: value}, config)
    assert not (tmp_path / 'out').exists()


def test_places_and_configs_that_cannot_be(tmp_path, config):
    (tmp_path / 'part.py').write_text('a = 1')
    (tmp_path / 'folder').mkdir()
    with pytest.raises(RuntimeError, match='part.py has no model.segmentor.*--config names a whole config'):
        run('advent', tmp_path, original(config), tmp_path / 'part.py')
    with pytest.raises(RuntimeError, match='folder is a folder: name the file to write'):
        convert('advent', tmp_path / 'original.pth', tmp_path / 'folder', CONFIGS, config)
    for source in ('folder', 'nowhere.pth'):
        with pytest.raises(FileNotFoundError, match=f'{source} is no file: name the one to convert'):
            convert('advent', tmp_path / source, tmp_path / 'original.pth', CONFIGS, config)


def test_a_network_of_another_sum_is_not_loaded_without_a_word(tmp_path, config):
    done = run('advent', tmp_path, original(config), config)
    cfg = load_config(config)
    cfg.model.segmentor.decode_head.summed = cfg.model.segmentor.auxiliary_head.summed = (0, 1)
    with pytest.raises(RuntimeError, match=r'has summed_branches \[0, 1, 2, 3\], but that of this config has \[0, 1\]'):
        load_weights(MODELS.build(cfg.model), read_checkpoint(done.path), 'ours.pth')


def test_a_level_that_was_never_trained_is_left_out(tmp_path, config):
    one_level = tmp_path / 'one.py'
    one_level.write_text(f'_base_ = {str(config)!r}\nmodel = dict(segmentor=dict(auxiliary_head=None))\n')
    done = run('sim', tmp_path, original(config), one_level)
    assert len(done.left_out) == 8 and all(key.startswith('layer5.') for key in done.left_out)


@pytest.mark.parametrize(
    'content, message',
    [
        ([1, 2], 'holds a list, not the weights'),
        (dict(epoch=torch.tensor(1), note='x'), 'note are not plain tensors'),
        ({3: torch.rand(1)}, 'holds a dict where the weights of a network were expected'),
        (dict(state_dict=3), 'holds a int where the weights of a network were expected'),
        (dict(state_dict=torch.rand(3)), 'holds a Tensor where the weights'),
        ({'conv1.weight': torch.rand(3, 3).to_sparse()}, 'conv1.weight are not plain tensors'),
        ({'conv1.weight': torch.rand(3, 3, dtype=torch.complex64)}, 'conv1.weight are not plain tensors'),
        (
            {'encoder.weight': torch.rand(3, 3)},
            'has no key of a checkpoint of ADVENT or IntraDA; it has encoder.weight',
        ),
        (
            {'conv1.weight': torch.rand(3, 3), 'layer6.conv2d_list.0.weight': torch.tensor(1.0)},
            r'a network \(resnet 0\)',
        ),
    ],
)
def test_files_that_are_no_state_dicts(tmp_path, content, message):
    with pytest.raises(RuntimeError, match=message) as caught:
        run('advent', tmp_path, content)
    assert 'original.pth' in str(caught.value)


def test_a_file_without_a_head_is_no_network(tmp_path, config):
    state = {key.replace('layer6', 'layer8'): value for key, value in original(config).items()}
    with pytest.raises(RuntimeError, match='(?s)missing: .*unexpected: layer8'):
        run('advent', tmp_path, state, config)
    with pytest.raises(RuntimeError, match='unexpected: layer8'):
        run('advent', tmp_path, state, config, backbone_only=True)


@pytest.mark.parametrize('content', [b'import this', b'PK', b'', bytes(100), b'\x80\x02}q\x00.'])
def test_files_of_another_kind_are_not_to_be_trusted(tmp_path, content):
    (tmp_path / 'original.pth').write_bytes(content)
    with pytest.raises(RuntimeError) as caught:
        convert('advent', tmp_path / 'original.pth', tmp_path / 'ours.pth', CONFIGS)
    assert '--trust' not in str(caught.value) and 'original.pth' in str(caught.value)


def test_the_original_is_never_overwritten(tmp_path, config):
    torch.save(original(config), tmp_path / 'original.pth')
    before = (tmp_path / 'original.pth').read_bytes()
    with pytest.raises(RuntimeError, match='is the file that is converted'):
        convert('advent', tmp_path / 'original.pth', tmp_path / 'original.pth', CONFIGS, config)
    assert (tmp_path / 'original.pth').read_bytes() == before


def test_fada_needs_both_parts(tmp_path):
    with pytest.raises(
        RuntimeError,
        match='has no classifier: a checkpoint of FADA is a dict with feature_extractor and '
        'classifier; this one has feature_extractor, iteration',
    ):
        run('fada', tmp_path, dict(feature_extractor=dict(a=torch.rand(1)), iteration=3))
    with pytest.raises(RuntimeError, match=r'this one has layer0, layer1, layer2, layer3, layer4 \.\.\.$'):
        run('fada', tmp_path, {f'layer{i}': torch.rand(1) for i in range(6)})


def test_two_networks_in_one_file(tmp_path):
    weights = {'layer6.conv2d_list.0.bias': torch.rand(19), 'classifier.conv2d_list.0.bias': torch.rand(19)}
    with pytest.raises(RuntimeError, match='one file holds two networks'):
        run('advent', tmp_path, weights)


def test_a_starting_point_starts_a_network(tmp_path, config):
    state = {f'Scale.{key}': value for key, value in original(config).items() if not key.startswith('layer6')}
    done = run('caffe_resnet101', tmp_path, state, config)
    weights = read_checkpoint(done.path)['state_dict']
    assert all(key.startswith('backbone.') for key in weights) and len(done.left_out) == 8
    for checkpoint in (done.path, tmp_path / 'original.pth'):
        cfg = load_config(config).model.segmentor
        cfg.backbone.init_cfg = dict(type='DeepLabPretrained', checkpoint=str(checkpoint))
        segmentor = MODELS.build(cfg)
        segmentor.init_weights()
        assert torch.equal(segmentor.backbone.layer4[0].conv1.weight, state['Scale.layer4.0.conv1.weight'])


def test_the_backbone_alone(tmp_path, config):
    state = original(config)
    state['layer6.conv2d_list.0.weight'] = torch.rand(50, 64, 3, 3)  # of other classes
    done = run('advent', tmp_path, state, config, backbone_only=True)
    assert all(key.startswith('backbone.') for key in read_checkpoint(done.path)['state_dict'])
    assert done.backbone_only and 'summed_branches' not in done.meta


def vgg_of_torchvision() -> dict:
    """torchvision's names of a VGG-16 of width 2."""
    ours = DeepLabVGG16(base_channels=2).state_dict()
    state = {}
    for key in ours:
        index = int(key.split('.')[1])
        if index < 29:
            state[key if index < 23 else f'features.{index + 1}.{key.split(".")[2]}'] = torch.rand_like(ours[key])
    return {**state, 'classifier.0.weight': torch.rand(4, 4)}


def test_vgg_of_torchvision(tmp_path):
    config = tmp_path / 'vgg.py'
    config.write_text(f"""
_base_ = {str(CONFIGS / 'adaptsegnet/gta2city_vgg16.py')!r}
model = dict(segmentor=dict(backbone=dict(base_channels=2, init_cfg=None), decode_head=dict(in_channels=32)))
""")
    state = vgg_of_torchvision()
    done = run('torchvision_vgg16', tmp_path, state, config)
    assert done.left_out == ['classifier.0.weight']
    for checkpoint in (done.path, tmp_path / 'original.pth'):
        net = DeepLabVGG16(base_channels=2, init_cfg=dict(type='DeepLabPretrained', checkpoint=str(checkpoint)))
        fresh = net.features[29].weight.clone()
        net.init_weights()
        assert torch.equal(net.features[27].weight, state['features.28.weight'])
        assert torch.equal(net.features[21].weight, state['features.21.weight'])
        assert torch.equal(net.features[29].weight, fresh), 'fc6 is drawn at random'
