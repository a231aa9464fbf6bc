"""Checks of configs before anything long starts; each yields findings, and the caller raises or shows them."""

from .config import check_config, check_test, require
from .finding import ERROR, WARNING, ConfigError, Finding

__all__ = ['ERROR', 'WARNING', 'ConfigError', 'Finding', 'check_config', 'check_test', 'require']
