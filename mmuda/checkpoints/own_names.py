"""Loading by mmengine or mmseg: weights of adaptors into plain segmentors, and the other way round."""

from collections.abc import Mapping
from typing import Any

from mmengine.model import BaseTTAModel
from mmengine.runner.checkpoint import load_state_dict as load_as_it_is
from torch import Tensor, nn

from mmuda.internals import replace_state_dict_loader
from mmuda.ranks import unwrap

from .loading import SEGMENTOR, fit_weights

NAME = 'the checkpoint'


def install_own_names() -> None:
    """Make mmengine's loading functions map the names of weights, **for the whole process**.

    ``init_model`` and ``MMSegInferencer`` of mmseg call these functions. Without the mapping, a plain network would
    keep its random weights, with a mere warning, if all names in the checkpoint begin with ``segmentor.``.
    """
    replace_state_dict_loader(load_state_dict)


def load_state_dict(
    module: nn.Module, state_dict: Mapping[str, Tensor], strict: bool = False, logger: Any = None
) -> None:
    """Load weights as mmengine does; if they come from an adaptor or go into one, map their names and load strictly.

    Args:
        module: Any module. Only adaptors, and segmentors that get weights of an adaptor, are treated differently.
        state_dict: Weights by name.
        strict: As in mmengine; ignored for adaptors, and for segmentors that get weights of an adaptor.
        logger: As in mmengine.

    Raises:
        RuntimeError: If weights that come from an adaptor or go into one do not fit, or a segmentor gets none of its
            weights.
    """
    model = unwrap(module)
    if isinstance(model, BaseTTAModel):
        model = unwrap(model.module)
    of_adaptor = any(key.startswith(f'{SEGMENTOR}.') for key in state_dict)
    to_adaptor = isinstance(getattr(model, SEGMENTOR, None), nn.Module)
    if to_adaptor or (of_adaptor and hasattr(model, 'decode_head')):
        fitted, _ = fit_weights(model, dict(state_dict), NAME)
        load_as_it_is(model, fitted, True, logger)
        return
    own = model.state_dict()
    if hasattr(model, 'decode_head') and not own.keys() & state_dict.keys():
        raise RuntimeError(
            f'{NAME} has none of the {len(own)} weights of {type(model).__name__}, such as {next(iter(own))}, but '
            f'{", ".join(list(state_dict)[:3]) or "no weights at all"}: the network would keep random weights. Use the '
            'config that it was trained with'
        )
    load_as_it_is(module, state_dict, strict, logger)
