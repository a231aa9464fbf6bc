"""Config of a first method on a pair of domains, as text."""

import os
from pathlib import Path

from .literals import comment, literal
from .pair import Pair
from .pair_config import PAIR
from .recipes import Method, Network, configs_folder


def method_config(pair: Pair, method: Method, network: Network, folder: Path) -> str:
    """Return the config of a method.

    Args:
        pair: The pair.
        method: The method.
        network: Its network.
        folder: Folder of the config, from which its bases are named.
    """
    plan = pair.plan
    bases = [base_file(folder, network.file), f'./{PAIR}', base_file(folder, '_base_/schedules/own_data.py')]
    model = {
        **method.model,
        'data_preprocessor': 'dict(size=_base_.crop_size)',
        'segmentor': 'dict(decode_head=dict(num_classes=len(_base_.classes)))',
    }
    optimizers = {child: f'dict(optimizer={text})' for child, text in method.optimizers.items()}
    if network.rate is not None:
        optimizers = {'segmentor': f'dict(optimizer=dict(lr={network.rate}))', **optimizers}
    lines = [
        comment(f'{method.title} on {pair.name}: {network.title}. See configs/{method.folder}/README.md.'),
        '_base_ = [',
        *(f'    {literal(base)},' for base in bases),
        ']',
        _call('model', model),
    ]
    if optimizers:
        lines.append(_call('optim_wrapper', optimizers))
    lines += [
        f'train_cfg = dict(max_iters={plan.iterations}, val_interval={plan.interval})',
        f'param_scheduler = [dict(_base_.param_scheduler[0], end={plan.iterations + 1}, warmup={plan.warmup})]',
        f'default_hooks = dict(checkpoint=dict(interval={plan.interval}), logger=dict(interval={plan.log_interval}))',
    ]
    return '\n'.join(lines) + '\n'


def base_file(folder: Path, file: str) -> str:
    """Return the path of a shipped config as a base: relative if both are in one tree, else absolute.

    Args:
        folder: Folder of the config that inherits from the base.
        file: The base, relative to the folder of the shipped configs.
    """
    base = configs_folder() / file
    folder = folder.resolve()
    relative = os.path.relpath(base, folder)
    return relative if folder.is_relative_to(configs_folder().parent) else str(base)


def _call(name: str, arguments: dict[str, str]) -> str:
    """Return the text that assigns a dict, with one line for each argument."""
    return '\n'.join([f'{name} = dict(', *(f'    {key}={text},' for key, text in arguments.items()), ')'])
