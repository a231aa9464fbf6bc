"""ImageNet weights of VGG-16 under torchvision's names, Caffe's among them; for init_cfg.

python tools/model_converters/torchvision_vgg16.py vgg16-00b39a1b.pth vgg16.pth
"""

from pathlib import Path

from mmuda.conversion.convert import run_converter

if __name__ == '__main__':
    run_converter('torchvision_vgg16', __doc__, Path(__file__).resolve().parents[2] / 'configs')
