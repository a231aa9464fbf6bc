from .daformer import DAFormer
from .feature_distance import THINGS, ReferenceFeatures, feature_distance, majority_labels

__all__ = ['THINGS', 'DAFormer', 'ReferenceFeatures', 'feature_distance', 'majority_labels']
