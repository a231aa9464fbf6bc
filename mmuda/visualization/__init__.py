"""Pictures of predictions and of training, and the HTML report."""

from .figures import line_chart, series_colors
from .gallery import write_gallery
from .legend import legend_picture
from .pictures import colorize, entropy_map, heat, panel
from .prediction_picture_hook import PredictionPictureHook
from .predictions import collect_samples, sample_panel
from .records import RunSummary, Sample
from .report import write_report
from .scalars import read_scalars, training_folders
from .training_picture_hook import TrainingPictureHook
from .training_pictures import arrange, training_pictures

__all__ = [
    'PredictionPictureHook',
    'RunSummary',
    'Sample',
    'TrainingPictureHook',
    'arrange',
    'collect_samples',
    'colorize',
    'entropy_map',
    'heat',
    'legend_picture',
    'line_chart',
    'panel',
    'read_scalars',
    'sample_panel',
    'series_colors',
    'training_folders',
    'training_pictures',
    'write_gallery',
    'write_report',
]
