"""Pseudo labels, made from class probabilities: thresholds, priors, rankings, label files and their manifest."""

from .confidences import Confidences, ExactConfidences, argmax_classes, most_likely
from .histogram import ConfidenceHistogram
from .labeler import label_images
from .manifest import Manifest
from .mining import mining_classes
from .priors import count_classes, estimate_prior, load_prior, prior_of_counts, resize_prior, save_prior
from .ranker import Ranking, rank_images
from .ranking import RARE_CLASSES, entropy_score, rare_factor, split_by_score
from .strategies import Argmax, ClassBalanced, Global, MedianCap, PortionStrategy, Strategy, ThresholdStrategy

__all__ = [
    'Argmax',
    'ClassBalanced',
    'ConfidenceHistogram',
    'Confidences',
    'ExactConfidences',
    'Global',
    'Manifest',
    'MedianCap',
    'PortionStrategy',
    'RARE_CLASSES',
    'Ranking',
    'Strategy',
    'ThresholdStrategy',
    'argmax_classes',
    'count_classes',
    'entropy_score',
    'estimate_prior',
    'label_images',
    'load_prior',
    'mining_classes',
    'most_likely',
    'prior_of_counts',
    'rank_images',
    'rare_factor',
    'resize_prior',
    'save_prior',
    'split_by_score',
]
