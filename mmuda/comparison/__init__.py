"""Comparison of methods and seeds at one budget of iterations, beside their baselines: ``tools/compare.py``."""

from .budget import set_budget
from .comparison import Comparison
from .differences import differences_between
from .ledger import RunLedger
from .methods import STATISTICS, Method, load_methods, with_precision
from .record import record
from .report import write_comparison_report
from .results import Reading, Results, gather
from .run_report import write_run_report
from .runs import Run, plan_runs
from .tables import comparison_text

__all__ = [
    'STATISTICS',
    'Comparison',
    'Method',
    'Reading',
    'Results',
    'Run',
    'RunLedger',
    'comparison_text',
    'differences_between',
    'gather',
    'load_methods',
    'plan_runs',
    'record',
    'set_budget',
    'with_precision',
    'write_comparison_report',
    'write_run_report',
]
