"""Networks of SIM.

python tools/model_converters/sim.py BestGTA5.pth sim.pth
"""

from pathlib import Path

from mmuda.conversion.convert import run_converter

if __name__ == '__main__':
    run_converter('sim', __doc__, Path(__file__).resolve().parents[2] / 'configs')
