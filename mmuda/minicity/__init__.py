"""MiniCity: a procedural pair of small towns for demos, tests and first experiments.

Each town is one domain. Both have streets of the same kind, but no street in common. The files have the layouts of GTA5
and Cityscapes, and the data-set classes of these read them. :mod:`towns` defines how the towns look in each version.
"""

from .renderer import render
from .towns import VERSION, VERSIONS
from .writer import write_minicity

__all__ = ['VERSION', 'VERSIONS', 'render', 'write_minicity']
