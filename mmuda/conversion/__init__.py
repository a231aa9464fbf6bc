"""Conversion of published networks of other code bases to checkpoints of mmuda.

:func:`convert` is the entry point, and ``tools/convert.py ORIGIN SOURCE OUTPUT`` its command line. ``origins.py`` lists
the known code bases, ``originals.py`` reads their files, and ``mxnet_params.py`` reads files of MXNet.
"""

from .convert import Converted, convert
from .mxnet_params import ParamsError, read_params
from .origins import ORIGINS, Origin

__all__ = ['ORIGINS', 'Converted', 'Origin', 'ParamsError', 'convert', 'read_params']
