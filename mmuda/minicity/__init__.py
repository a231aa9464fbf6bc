"""MiniCity: a procedural pair of little towns for demos, tests and first experiments.

The source town is flat and clean as if rendered; the target town is textured, foggy, noisy and has
a colour cast. Both have streets of the same kind, but no street in common. They are written in the
layouts of GTA5 and Cityscapes and are read by the same data-set classes.
"""

from .renderer import render
from .writer import write_minicity

__all__ = ['render', 'write_minicity']
