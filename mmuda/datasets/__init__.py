"""Data sets, pairs of domains and transforms. Importing this package registers all of them."""

from . import published_tables  # noqa: F401 - registers the label tables
from .building import build_dataset
from .class_count_files import read_class_counts
from .class_presence import class_counts, classes_present
from .classes import *  # noqa: F401,F403
from .label_tables import get_label_table, register_label_table
from .pairs import *  # noqa: F401,F403
from .readers import *  # noqa: F401,F403
from .transforms import *  # noqa: F401,F403

__all__ = [
    'build_dataset',
    'class_counts',
    'classes_present',
    'get_label_table',
    'read_class_counts',
    'register_label_table',
]
