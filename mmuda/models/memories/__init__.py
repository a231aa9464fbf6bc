"""State of methods in addition to their networks: class statistics and feature memories, and regions of class maps."""

from .class_statistics import ClassStatistics
from .feature_memory import FeatureMemory
from .regions import Regions, find_regions, region_means

__all__ = ['ClassStatistics', 'FeatureMemory', 'Regions', 'find_regions', 'region_means']
