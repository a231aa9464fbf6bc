"""Weights in the formats and under the names of other frameworks and projects."""
from .mxnet_params import MAGIC, ParamsError, read_params

__all__ = ['MAGIC', 'ParamsError', 'read_params']
