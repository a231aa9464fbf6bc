"""Examination before a run: environment, config, data, network, schedule and a dry iteration, as tables."""

from .examination import Examination, Options
from .rows import ERROR, OK, SKIPPED, WARNING, Row, Section

__all__ = ['ERROR', 'OK', 'SKIPPED', 'WARNING', 'Examination', 'Options', 'Row', 'Section']
