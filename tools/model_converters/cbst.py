"""Networks of CBST, and ResNet-38's ImageNet weights, from MXNet's .params.

python tools/model_converters/cbst.py cityscapes_rna-a1_cls19_s8_ep-0012.params cbst.pth
"""

from pathlib import Path

from mmuda.conversion.convert import run_converter

if __name__ == '__main__':
    run_converter('cbst', __doc__, Path(__file__).resolve().parents[2] / 'configs')
