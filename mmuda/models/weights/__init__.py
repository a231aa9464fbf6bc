"""Weights in the formats and under the names of other frameworks and projects."""

from .mxnet_params import MAGIC, ParamsError, read_params
from .states import plain_state, weight_problems, with_counters

__all__ = ['MAGIC', 'ParamsError', 'plain_state', 'read_params', 'weight_problems', 'with_counters']
