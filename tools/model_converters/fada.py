"""Networks of FADA.

python tools/model_converters/fada.py g2c_sd.pth fada.pth
"""

from pathlib import Path

from mmuda.conversion.convert import run_converter

if __name__ == '__main__':
    run_converter('fada', __doc__, Path(__file__).resolve().parents[2] / 'configs')
