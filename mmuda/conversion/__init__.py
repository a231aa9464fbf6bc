"""Published networks of other code bases become our checkpoints."""

from .convert import ORIGINS, Converted, convert
from .mxnet_params import ParamsError, read_params

__all__ = ['ORIGINS', 'Converted', 'ParamsError', 'convert', 'read_params']
