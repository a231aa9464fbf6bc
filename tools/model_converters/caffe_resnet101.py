"""ImageNet weights of a Caffe ResNet-101, alone or as DeepLab's starting point; for init_cfg.

python tools/model_converters/caffe_resnet101.py DeepLab_resnet_pretrained_imagenet.pth resnet101.pth
"""

from pathlib import Path

from mmuda.conversion.convert import run_converter

if __name__ == '__main__':
    run_converter('caffe_resnet101', __doc__, Path(__file__).resolve().parents[2] / 'configs')
