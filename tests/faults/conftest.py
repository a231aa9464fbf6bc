"""The checkpoints of the tools' tests."""

from tools.conftest import trained

__all__ = ['trained']
