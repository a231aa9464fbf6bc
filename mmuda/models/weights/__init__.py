"""Weights in the formats and under the names of other frameworks and projects."""
from .mxnet_params import ParamsError, read_params

__all__ = ['ParamsError', 'read_params']
