"""Checkpoints in the formats of the original implementations."""

import re
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from mmuda.engine.launch import load_config


def original(config: Path, **model) -> dict:
    """Return a state dict with the keys of ADVENT's code for the network of a config."""
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


def original_mit(state: dict) -> dict:
    """Rename the weights of a MiT from mmseg's names to the names of NVIDIA's code."""
    found = {}
    for key, value in state.items():
        match = re.fullmatch(r'layers\.([0-3])\.([0-2])\.(.+)', key)
        stage, part, rest = int(match[1]) + 1, match[2], match[3]
        if part == '0':
            found[f'patch_embed{stage}.{rest.replace("projection", "proj")}'] = value
            continue
        if part == '2':
            found[f'norm{stage}.{rest}'] = value
            continue
        block, _, name = rest.partition('.')
        prefix, side = f'block{stage}.{block}', name.rpartition('.')[2]
        if 'in_proj_' in name:
            side, width = name.rpartition('in_proj_')[2], len(value) // 3
            found[f'{prefix}.attn.q.{side}'], found[f'{prefix}.attn.kv.{side}'] = value[:width], value[width:]
        elif 'out_proj' in name:
            found[f'{prefix}.attn.proj.{side}'] = value
        elif 'ffn.layers.1' in name:
            found[f'{prefix}.mlp.dwconv.dwconv.{side}'] = value
        elif 'ffn' in name:
            linear = 'fc1' if 'layers.0' in name else 'fc2'
            found[f'{prefix}.mlp.{linear}.{side}'] = value[..., 0, 0] if side == 'weight' else value
        else:
            found[f'{prefix}.{name}'] = value
    return found


def original_daformer(segmentor: torch.nn.Module) -> dict:
    """Return a checkpoint in the format of the code of DAFormer, HRDA and MIC.

    The weights of the teacher are zero and those of the ImageNet copy are one, so that they differ from the student.
    """
    state = {key: value for key, value in segmentor.state_dict().items() if not key.endswith('iterations.value')}
    backbone = {key.removeprefix('backbone.'): value for key, value in state.items() if key.startswith('backbone.')}
    student = {f'backbone.{key}': value for key, value in original_mit(backbone).items()}
    student |= {key: value for key, value in state.items() if not key.startswith('backbone.')}
    found = {f'model.{key}': value for key, value in student.items()}
    found |= {f'ema_model.{key}': torch.zeros_like(value) for key, value in student.items()}
    found |= {f'imnet_model.{key}': torch.ones_like(value) for key, value in student.items()}
    return dict(meta=dict(CLASSES=('road',)), state_dict=found, optimizer=dict(param_groups=[]))
