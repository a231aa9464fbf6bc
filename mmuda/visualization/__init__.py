from .curves import line_chart, read_scalars, series_colors
from .pictures import colorize, entropy_map, heat, panel
from .prediction_picture_hook import PredictionPictureHook
from .records import RunSummary, Sample
from .report import write_report

__all__ = [
    'PredictionPictureHook',
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
