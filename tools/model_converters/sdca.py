"""The same as `tools/convert.py sdca SOURCE OUTPUT`."""

import runpy
import sys
from pathlib import Path

sys.argv.insert(1, 'sdca')
runpy.run_path(str(Path(__file__).resolve().parents[1] / 'convert.py'), run_name='__main__')
