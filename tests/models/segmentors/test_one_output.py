"""One foreground class with a sigmoid equals two classes with a softmax."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from toolbox import labelled_side, plain_batch, prepared, side, tiny_adaptor, tiny_segmentor, wrappers_of

ONE = dict(num_classes=2, out_channels=1, threshold=0.5, loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True))


def adaptor(method: str, **kwargs):
    return tiny_adaptor(method, two_levels=False, segmentor=tiny_segmentor(False, **ONE), **kwargs)


def batch() -> dict:
    source = labelled_side(0, 2)
    for sample in source['data_samples']:
        sample.gt_sem_seg.data = torch.where(sample.gt_sem_seg.data == 255, 255, sample.gt_sem_seg.data % 2)
    return dict(source=source, target=side(1, False))


def test_losses_are_those_of_the_sigmoid():
    model = adaptor('SourceOnly').eval()
    ready = prepared(model, batch())['source']
    outputs = model.segment(ready)
    (logits,) = (outputs.upsample(level) for level in outputs.levels)
    assert logits.shape[1] == 2 and (logits[:, 0] == 0).all()
    labels = torch.stack([sample.gt_sem_seg.data[0] for sample in ready['data_samples']])
    known = labels != 255
    expected = F.binary_cross_entropy_with_logits(logits[:, 1][known], labels[known].float())
    (loss,) = model.supervised_losses(outputs, ready).values()
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize('method', ['SourceOnly', 'MinEnt', 'DACS'])
def test_methods_train(method):
    model = adaptor(method)
    before = [one.clone() for one in model.segmentor.decode_head.parameters()]
    losses = model.train_step(batch(), wrappers_of(model))
    assert all(torch.isfinite(torch.as_tensor(value)).all() for value in losses.values())
    assert any(not torch.equal(*pair) for pair in zip(before, model.segmentor.decode_head.parameters(), strict=True))


@pytest.mark.parametrize('mode', [dict(mode='whole'), dict(mode='slide', crop_size=(32, 32), stride=(16, 16))])
def test_predictions_are_those_of_mmseg(mode):
    model = adaptor('SourceOnly').eval()
    model.segmentor.test_cfg.update(mode)
    plain = EncoderDecoder(**{**{key: value for key, value in tiny_segmentor(False, **ONE).items() if key != 'type'}})
    plain.load_state_dict(model.segmentor.state_dict())
    plain.eval().test_cfg.update(mode)
    data = plain_batch((48, 48))
    ready = model.data_preprocessor(data)
    with torch.no_grad():
        ours = model.segmentor.predict(ready['inputs'], ready['data_samples'])[0]
        probability = model.probabilities(data)[0]
        ready = model.data_preprocessor(data)
        theirs = plain.predict(ready['inputs'], ready['data_samples'])[0]
    assert (ours.pred_sem_seg.data != theirs.pred_sem_seg.data).float().mean() < 0.01
    assert probability.shape[0] == 2
    torch.testing.assert_close(probability[1] > 0.5, ours.pred_sem_seg.data[0] == 1)


def test_the_threshold_has_to_be_said():
    with pytest.raises(ValueError, match='decode_head: out_channels=1 needs threshold=0.5'):
        tiny_adaptor('SourceOnly', two_levels=False, segmentor=tiny_segmentor(False, **{**ONE, 'threshold': None}))
