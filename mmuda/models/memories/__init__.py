"""State that methods keep beside their networks: class statistics, feature memories, regions."""

from .class_statistics import ClassStatistics
from .feature_memory import FeatureMemory
from .regions import Regions, find_regions, region_means

__all__ = ['ClassStatistics', 'FeatureMemory', 'Regions', 'find_regions', 'region_means']
