"""MiniCity: a procedural pair of little towns for demos, tests and first experiments.

A flat, clean 'rendered' source town and a textured, foggy, noisy, colour-cast target town share their
street plans but no image. They are written in the layouts of GTA5 and Cityscapes and are read by
the same data-set classes.
"""

from .renderer import render
from .writer import write_minicity

__all__ = ['render', 'write_minicity']
