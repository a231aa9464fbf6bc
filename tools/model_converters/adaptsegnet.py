"""Networks of AdaptSegNet: ResNet-101 (multi- or single-level), oracle, VGG-16.

python tools/model_converters/adaptsegnet.py GTA2Cityscapes_multi-ed35151c.pth adaptsegnet.pth
"""

from pathlib import Path

from mmuda.conversion.convert import run_converter

if __name__ == '__main__':
    run_converter('adaptsegnet', __doc__, Path(__file__).resolve().parents[2] / 'configs')
