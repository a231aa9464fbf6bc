from .curves import line_chart, read_scalars, series_colors
from .pictures import colorize, entropy_map, heat, panel
from .records import RunSummary, Sample
from .report import write_report

__all__ = [
    'RunSummary',
    'Sample',
    'colorize',
    'entropy_map',
    'heat',
    'line_chart',
    'panel',
    'read_scalars',
    'series_colors',
    'write_report',
]
