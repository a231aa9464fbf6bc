"""Extraction of components of mmuda into a module without imports of mmuda."""

import sys
from pathlib import Path

import pytest
import torch
from mmseg.registry import MODELS

from mmuda.engine.standalone import Extract
from mmuda.models.decode_heads import DAFormerHead, DeepLabV2Head


@pytest.mark.parametrize(
    ('component', 'options'),
    [
        (DeepLabV2Head, dict(in_channels=8, in_index=0)),
        (DAFormerHead, dict(in_channels=[8], in_index=[0], channels=4, embed_dims=4, dilations=(1, 2))),
    ],
)
def test_a_class_and_what_it_uses(tmp_path, component, options, monkeypatch):
    extract = Extract()
    extract.add(component)
    text = extract.text('Some parts.')
    assert 'import mmuda' not in text and 'from mmuda' not in text
    Path(tmp_path / 'some_parts.py').write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, 'some_parts', raising=False)
    import some_parts

    head = getattr(some_parts, component.__name__)
    assert MODELS.get(component.__name__) is component and head is not component
    torch.manual_seed(0)
    ours = component(num_classes=3, **options).eval()
    theirs = head(num_classes=3, **options).eval()
    theirs.load_state_dict(ours.state_dict())
    features = (torch.randn(1, 8, 9, 9),)
    assert torch.equal(ours(features), theirs(features))


def test_two_things_of_one_name_are_refused(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ('one', 'two'):
        (tmp_path / f'{name}.py').write_text('class Part:\n    half = 1\n')
    import one
    import two

    extract = Extract()
    extract.add(one.Part)
    with pytest.raises(ValueError, match='one and two both define Part'):
        extract.add(two.Part)
