"""Do the same as `tools/convert.py advent SOURCE OUTPUT`."""

import runpy
import sys
from pathlib import Path

sys.argv.insert(1, 'advent')
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
runpy.run_module('convert', run_name='__main__')
