"""MiniCity: a procedural pair of little towns for demos, tests and first experiments.

Both towns have streets of the same kind, but no street in common. They are written in the layouts of GTA5 and
Cityscapes and are read by the same data-set classes. How they look, and in which versions, stands in :mod:`towns`.
"""

from .renderer import render
from .towns import VERSION, VERSIONS
from .writer import write_minicity

__all__ = ['VERSION', 'VERSIONS', 'render', 'write_minicity']
