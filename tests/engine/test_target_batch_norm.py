"""Batch-norm statistics of target images: exact, and equal after a kill and on any number of processes."""

import copy
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from processes import run_on_processes
from toolbox import tiny_config
from torch import nn

from mmuda.checkpoints import read_checkpoint, write_checkpoint
from mmuda.datasets import build_dataset
from mmuda.engine.batch_norm_estimation import estimate_batch_norm
from mmuda.engine.batch_norm_order import NothingToEstimateError
from mmuda.engine.inference import load_model
from mmuda.engine.launch import build_runner
from mmuda.engine.probabilities import inference_dataset
from mmuda.engine.target_batch_norm import FACT, sample_of, write_target_batch_norm
from mmuda.files import file_digest


@pytest.fixture(scope='module')
def trained(minicity, tmp_path_factory) -> tuple:
    """Return the config and the checkpoint of a tiny source-only training."""
    folder = tmp_path_factory.mktemp('trained')
    cfg = tiny_config('source_only', minicity, folder, iters=2)
    build_runner(cfg).train()
    return cfg, folder / 'iter_2.pth'


def statistics(model: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items() if 'running' in key}


def by_definition(model: nn.Module, dataset) -> dict[str, torch.Tensor]:
    """Compute the statistics layer by layer in the order of the network, from all inputs at once and in two passes."""
    order = []
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.BatchNorm2d)}
    hooks = [layer.register_forward_hook(lambda *_, name=name: order.append(name)) for name, layer in layers.items()]
    images = [pseudo_collate([dataset[index]]) for index in range(len(dataset))]
    with torch.no_grad():
        model.test_step(images[0])
        for hook in hooks:
            hook.remove()
        for name in order:
            seen = []
            hook = layers[name].register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0].double()))
            for image in images:
                model.test_step(image)
            hook.remove()
            values = torch.cat([value.transpose(0, 1).flatten(1) for value in seen], dim=1)
            mean = values.sum(1) / values.shape[1]
            layers[name].running_mean.copy_(mean)
            layers[name].running_var.copy_((values - mean[:, None]).square().sum(1) / (values.shape[1] - 1))
    return statistics(model)


@pytest.mark.parametrize('batch_size', [1, 3, 5])
def test_statistics_are_those_of_all_pixels(trained, tmp_path, batch_size):
    cfg, checkpoint = trained
    dataset = build_dataset(inference_dataset(cfg))
    model = load_model(cfg, checkpoint)
    before = statistics(model)
    wanted = by_definition(load_model(cfg, checkpoint), dataset)
    facts = estimate_batch_norm(model, dataset, tmp_path / 'state', batch_size)
    found = statistics(model)
    assert facts['images'] == 5 and 2 * facts['layers'] == len(found) and facts['passes'] <= facts['layers']
    assert (facts['passes'] == 1) == (batch_size == 5), 'a single pass must suffice for all images in one batch'
    assert not (tmp_path / 'state').exists() and not model.training
    for key, value in wanted.items():
        assert not torch.equal(value, before[key]), f'{key} must differ from its value before'
        torch.testing.assert_close(found[key], value, rtol=1e-5, atol=1e-6, msg=key)


def test_statistics_of_before_and_the_order_of_images_do_not_matter(trained, tmp_path):
    cfg, checkpoint = trained
    found = []
    for spoilt in (False, True):
        model = load_model(cfg, checkpoint)
        dataset = build_dataset(inference_dataset(cfg))
        if spoilt:
            dataset = [dataset[index] for index in (3, 1, 4, 0, 2)]
            for key, value in model.state_dict().items():
                if 'running' in key:
                    value.fill_(3.0)
        estimate_batch_norm(model, dataset, tmp_path / 'state')
        found.append(statistics(model))
    assert all(torch.equal(value, found[1][key]) for key, value in found[0].items())


def test_a_checkpoint_is_written_once(trained, tmp_path):
    cfg, checkpoint = trained
    output, images = tmp_path / 'target.pth', inference_dataset(cfg)
    facts = write_target_batch_norm(cfg, images, checkpoint, output)
    before, after = read_checkpoint(checkpoint), read_checkpoint(output)
    changed = {key for key, value in before['state_dict'].items() if not torch.equal(value, after['state_dict'][key])}
    assert changed == {key for key in before['state_dict'] if 'running' in key}
    assert set(after) == {'meta', 'state_dict'} and 'training' not in after['meta'] and after['meta'][FACT] == facts
    written = output.stat().st_mtime_ns
    assert write_target_batch_norm(cfg, images, checkpoint, output) == facts
    assert output.stat().st_mtime_ns == written, 'the existing file must not be written again'
    state = {key: value + 1 if 'conv1' in key else value for key, value in before['state_dict'].items()}
    write_checkpoint(tmp_path / 'other.pth', dict(state_dict=state))
    assert write_target_batch_norm(cfg, images, tmp_path / 'other.pth', output)['weights'] != facts['weights']


def test_images_of_another_root_are_other_images(trained, tmp_path):
    cfg, checkpoint = trained
    output, images = tmp_path / 'target.pth', inference_dataset(cfg)
    facts = write_target_batch_norm(cfg, images, checkpoint, output)
    shutil.copytree(images['data_root'], tmp_path / 'copy')
    copy = {**images, 'data_root': str(tmp_path / 'copy')}
    written = output.stat().st_mtime_ns
    moved = write_target_batch_norm(cfg, copy, checkpoint, output)
    assert moved['config'] != facts['config'] and output.stat().st_mtime_ns != written
    written = output.stat().st_mtime_ns
    assert write_target_batch_norm(cfg, copy, checkpoint, output) == moved
    assert output.stat().st_mtime_ns == written, 'the existing file must not be written again'


def test_windows_need_a_pass_for_each_layer_even_in_one_batch(trained, tmp_path, caplog):
    """With windows, each layer needs its own pass even with one batch, since no call of a layer gets all pixels."""
    cfg, checkpoint = trained
    MMLogger.get_instance('test_windows').addHandler(caplog.handler)
    cfg = copy.deepcopy(cfg)
    dataset = build_dataset(inference_dataset(cfg))
    height, width = dataset[0]['inputs'].shape[-2:]
    cfg.model.segmentor.test_cfg = dict(mode='slide', crop_size=(height, width // 2), stride=(height, width // 2))
    models = [load_model(cfg, checkpoint) for _ in range(2)]
    facts = [
        estimate_batch_norm(model, dataset, tmp_path / 'state', size)
        for model, size in zip(models, (5, 1), strict=True)
    ]
    assert facts[0]['passes'] == facts[1]['passes'] > 1
    assert f'is tested with sliding windows, so {facts[0]["passes"]} passes are needed' in caplog.text
    first, second = map(statistics, models)
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, rtol=1e-5, atol=1e-6, msg=key)


def test_a_sample_stands_for_all_images(trained, tmp_path):
    cfg, checkpoint = trained
    output, images = tmp_path / 'target.pth', inference_dataset(cfg)
    facts = write_target_batch_norm(cfg, images, checkpoint, output, sample=2)
    assert (facts['images'], facts['passes']) == (2, 1)
    dataset = build_dataset(images)
    wanted = by_definition(load_model(cfg, checkpoint), [dataset[0], dataset[2]])
    found = read_checkpoint(output)['state_dict']
    for key, value in wanted.items():
        torch.testing.assert_close(found[key], value, rtol=1e-5, atol=1e-6, msg=key)
    assert write_target_batch_norm(cfg, images, checkpoint, output)['images'] == 5, (
        'statistics of other images must be computed again'
    )
    more = write_target_batch_norm(cfg, images, checkpoint, output, sample=9)
    assert (more['images'], more['passes']) == (5, 1), 'a larger sample must use all images'


@pytest.fixture
def of_two_sizes(trained) -> list[dict]:
    """Return three images, the second of another size."""
    dataset = build_dataset(inference_dataset(trained[0]))
    samples = [dataset[index] for index in range(3)]
    samples[1]['inputs'] = samples[1]['inputs'].transpose(1, 2).contiguous()
    size = tuple(samples[1]['inputs'].shape[-2:])
    samples[1]['data_samples'].set_metainfo(dict(img_shape=size, ori_shape=size))
    return samples


def test_a_sample_of_several_sizes_takes_one_pass(trained, tmp_path, of_two_sizes, caplog):
    MMLogger.get_instance('test_several_sizes').addHandler(caplog.handler)
    cfg, checkpoint = trained
    model, again = (load_model(cfg, checkpoint) for _ in range(2))
    facts = estimate_batch_norm(model, of_two_sizes, tmp_path / 'state', batch_size=3)
    assert facts['passes'] == 1
    told = f'estimating the batch-norm statistics of {facts["layers"]} layers on 3 target images: 1 pass'
    assert told in caplog.text
    wanted = by_definition(load_model(cfg, checkpoint), of_two_sizes)
    for key, value in statistics(model).items():
        torch.testing.assert_close(value, wanted[key], rtol=1e-5, atol=1e-6, msg=key)
    estimate_batch_norm(again, of_two_sizes, tmp_path / 'state', batch_size=3)
    assert all(torch.equal(value, statistics(model)[key]) for key, value in statistics(again).items())


def test_sizes_that_go_through_different_layers_need_all_passes(trained, tmp_path, of_two_sizes, caplog):
    MMLogger.get_instance('test_different_layers').addHandler(caplog.handler)
    cfg, checkpoint = trained
    model = load_model(cfg, checkpoint)
    backbone = model.segmentor.backbone

    def twice_if_high(images: torch.Tensor) -> tuple:
        return backbone(images) if images.shape[2] < images.shape[3] else (backbone(images), backbone(images))[1]

    model.segmentor.extract_feat = twice_if_high
    facts = estimate_batch_norm(model, of_two_sizes, tmp_path / 'state', batch_size=3)
    assert facts['passes'] > 1
    reason = 'the images of the sample have several sizes, which go through different layers'
    assert f'{reason}, so {facts["passes"]} passes are needed' in caplog.text
    told = f'statistics of {facts["layers"]} layers on 3 target images: {facts["passes"]} passes'
    assert told in caplog.text


@pytest.mark.parametrize('given', [dict(sample=1), dict(sample=2.5), dict(images=3), 48])
def test_a_sample_is_a_number_of_images(given):
    assert sample_of(Config(dict(target_statistics=dict(sample=3)))) == 3 and sample_of(Config()) is None
    with pytest.raises(ValueError, match=r'target_statistics=.*expected dict\(sample=N\)'):
        sample_of(Config(dict(target_statistics=given)))


class Stop(Exception):
    """An exception that simulates a kill."""


def test_an_interrupted_estimation_ends_with_the_same_bytes(trained, tmp_path, monkeypatch):
    cfg, checkpoint = trained
    images, seen = inference_dataset(cfg), []
    whole, cut = tmp_path / 'whole.pth', tmp_path / 'cut.pth'
    dataset = build_dataset(images)
    read = type(dataset).__getitem__

    def dying(self, index: int) -> dict:
        seen.append(index)
        if len(seen) % 9 == 0:
            raise Stop
        return read(self, index)

    facts = write_target_batch_norm(cfg, images, checkpoint, whole, batch_size=2)
    monkeypatch.setattr(type(dataset), '__getitem__', dying)
    kills = 0
    while not cut.is_file():
        before = len(seen)
        try:
            write_target_batch_norm(cfg, images, checkpoint, cut, batch_size=2, snapshot_every=0.0)
        except Stop:
            kills += 1
            assert len(seen) > before
    assert kills > facts['passes'] // 3
    assert len(seen) <= 1 + 5 * facts['passes'] + 2 * kills, 'only interrupted batches must be read again'
    assert file_digest(cut) == file_digest(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['cut.pth', 'whole.pth']


def estimate(rank: int, minicity: str, checkpoint: str, output: str) -> dict:
    cfg = tiny_config('source_only', Path(minicity), Path(output).parent)
    return write_target_batch_norm(cfg, inference_dataset(cfg), checkpoint, output, batch_size=2)


@pytest.mark.parametrize('count', [2, 4])
def test_processes_share_the_images(trained, minicity, tmp_path, count):
    """Two processes get two batches and one; with four processes, one has no batch."""
    cfg, checkpoint = trained
    facts = write_target_batch_norm(cfg, inference_dataset(cfg), checkpoint, tmp_path / 'one.pth', batch_size=2)
    found = run_on_processes(
        estimate, tmp_path, str(minicity), str(checkpoint), str(tmp_path / 'many.pth'), count=count
    )
    assert found == [facts] * count
    assert file_digest(tmp_path / 'many.pth') == file_digest(tmp_path / 'one.pth')


def test_images_that_are_not_finite_are_one_clear_error(trained, tmp_path):
    cfg, checkpoint = trained
    dataset = build_dataset(inference_dataset(cfg))
    samples = [dataset[index] for index in range(3)]
    samples[2]['inputs'] = samples[2]['inputs'].float().fill_(float('nan'))
    with pytest.raises(FloatingPointError, match='is NaN or infinite for some target images'):
        estimate_batch_norm(load_model(cfg, checkpoint), samples, tmp_path / 'state')


def test_a_network_without_batch_norm_is_one_clear_error(minicity, tmp_path):
    norm = {'model.segmentor.backbone.norm_cfg': dict(type='GN', num_groups=2, requires_grad=True)}
    cfg = tiny_config('source_only', minicity, tmp_path, iters=1, save=1, **norm)
    build_runner(cfg).train()
    with pytest.raises(NothingToEstimateError, match='this SourceOnly: it has no batch-norm layer'):
        write_target_batch_norm(cfg, inference_dataset(cfg), tmp_path / 'iter_1.pth', tmp_path / 'target.pth')
    assert not (tmp_path / 'target.pth').exists()
