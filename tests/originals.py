"""Files as the original implementations write them."""

from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from mmuda.engine.launch import load_config


def original(config: Path, **model) -> dict:
    """The state dict that ADVENT's code would write of the network of a config."""
    init_default_scope('mmseg')
    cfg = load_config(config).model.segmentor
    cfg.update(model)
    torch.manual_seed(0)
    state = {}
    for key, value in MODELS.build(cfg).state_dict().items():
        key = key.replace('backbone.', '', 1).replace('auxiliary_head.branches', 'layer5.conv2d_list')
        state[key.replace('decode_head.branches', 'layer6.conv2d_list')] = (
            torch.rand_like(value, dtype=torch.float32) if value.is_floating_point() else value
        )
    return state
