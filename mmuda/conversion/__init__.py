"""Published networks of other code bases become our checkpoints.

:func:`convert` is the table of contents; ``tools/convert.py ORIGIN SOURCE OUTPUT`` is its command line. ``origins.py``
lists whose networks are known, ``originals.py`` reads their files, ``mxnet_params.py`` those of MXNet.
"""

from .convert import Converted, convert
from .mxnet_params import ParamsError, read_params
from .origins import ORIGINS, Origin

__all__ = ['ORIGINS', 'Converted', 'Origin', 'ParamsError', 'convert', 'read_params']
