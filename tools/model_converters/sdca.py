"""Networks of SDCA.

python tools/model_converters/sdca.py r101_g2c_best.pth sdca.pth
"""

from pathlib import Path

from mmuda.conversion.convert import run_converter

if __name__ == '__main__':
    run_converter('sdca', __doc__, Path(__file__).resolve().parents[2] / 'configs')
