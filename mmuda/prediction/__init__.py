"""Prediction of images, videos and folders with trained networks: :func:`predict`, and ``tools/predict.py``."""

from .folder import Summary, predict_folder
from .formats import FORMATS, ServerFormat, get_format
from .inputs import Entry, find_images
from .outputs import Outputs
from .own_ids import own_ids
from .predictor import Options, Prediction, Predictor, predict
from .shares import shares_table

__all__ = [
    'FORMATS',
    'Entry',
    'Options',
    'Outputs',
    'Prediction',
    'Predictor',
    'ServerFormat',
    'Summary',
    'find_images',
    'get_format',
    'own_ids',
    'predict',
    'predict_folder',
    'shares_table',
]
