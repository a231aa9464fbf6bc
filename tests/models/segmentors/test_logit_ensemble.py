"""Predictions of several networks together."""

import pytest
import torch
from mmengine.config import ConfigDict
from toolbox import side, tiny_adaptor, tiny_segmentor

from mmuda.models import LogitEnsemble


def test_logits_are_summed():
    models = [tiny_adaptor('SourceOnly'), tiny_adaptor('MinEnt')]
    for seed, model in enumerate(models):
        torch.manual_seed(seed)
        torch.nn.init.normal_(model.segmentor.decode_head.branches[0].weight)
    cfgs = [
        ConfigDict(
            type=type(m).__name__, segmentor=tiny_segmentor(), data_preprocessor=dict(type='DomainPairPreprocessor')
        )
        for m in models
    ]
    ensemble = LogitEnsemble(cfgs, weights=[0.25, 0.75]).eval()
    for ours, given in zip(ensemble.models, models, strict=True):
        ours.load_state_dict(given.state_dict())
    data = side(0, True)
    with torch.no_grad():
        merged = ensemble.test_step(data)
        single = [m.eval().test_step(side(0, True)) for m in models]
    wanted = 0.25 * single[0][1].seg_logits.data + 0.75 * single[1][1].seg_logits.data
    torch.testing.assert_close(merged[1].seg_logits.data, wanted)
    assert torch.equal(merged[1].pred_sem_seg.data[0], wanted.argmax(0))
    with pytest.raises(ValueError, match='2 models but 1 weights'):
        LogitEnsemble(cfgs, weights=[1.0])


def test_preprocessed_images_are_refused():
    segmentor = dict(type='SourceOnly', segmentor=tiny_segmentor())
    with pytest.raises(RuntimeError, match='with a batch that is not preprocessed'):
        LogitEnsemble([segmentor])(torch.zeros(1, 3, 32, 32))
