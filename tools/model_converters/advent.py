"""Networks of ADVENT, MinEnt and IntraDA.

python tools/model_converters/advent.py gta2cityscapes_advent.pth advent.pth
"""

from pathlib import Path

from mmuda.conversion.convert import run_converter

if __name__ == '__main__':
    run_converter('advent', __doc__, Path(__file__).resolve().parents[2] / 'configs')
