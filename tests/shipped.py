"""The shipped configs, and reduction of configs to a size that tests can run."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from PIL import Image
from toolbox import CONFIGS

from mmuda.datasets.label_tables import get_label_table, lookup_array
from mmuda.engine.launch import load_config
from mmuda.stages import TrainStage, build_stages, make_context

SHIPPED = sorted(path for path in CONFIGS.glob('*/*.py') if path.parent.name != '_base_')
NAMES = [f'{path.parent.name}/{path.stem}' for path in SHIPPED]
LOADED = {path: Config.fromfile(path) for path in SHIPPED}
PROJECTS = sorted((CONFIGS.parent / 'projects').glob('*/configs/*.py'))
"""Configs of the plug-ins."""
CITIES = ('Rio', 'Rome', 'Taipei', 'Tokyo')
AREAS = ('Rural', 'Urban')


def computes(path: Path) -> str:
    """Return a text of everything that a config computes, without the figures of its paper.

    All cities and areas have the same name in it, so that configs with different places have the same text.
    """
    text = str({key: value for key, value in LOADED[path].items() if key != 'test_evaluator'})
    for name in (*CITIES, *AREAS):
        text = text.replace(f"'{name}'", "'PLACE'")
    return text


DIFFERENT = list({computes(path): path for path in SHIPPED}.values())
STAGED = [path for path in DIFFERENT if LOADED[path].runner_type == 'StagedRunner']
BACKBONES = [path for path in DIFFERENT if path.parent.name == 'backbones']
SINGLE = [path for path in DIFFERENT if path not in STAGED + BACKBONES]


def ids(paths) -> dict:
    """Return the arguments of `parametrize` for some configs."""
    return dict(argnames='path', argvalues=paths, ids=[f'{path.parent.name}/{path.stem}' for path in paths])


def trainings(cfg: Config) -> list:
    """Return the configs of all trainings of a config: the config itself, or one for each training stage."""
    if cfg.runner_type != 'StagedRunner':
        return [cfg]
    stages = build_stages(cfg)
    ctx = make_context(cfg, stages)
    return [stage.config(ctx) for stage in stages if isinstance(stage, TrainStage)]


MARKS = dict(
    GTA5_ROOT='source',
    CITYSCAPES_ROOT='cityscapes',
    MINICITY_ROOT='',
    SYNTHIA_ROOT='synthia',
    SYNTH2CAMVID_ROOT='camvid',
    SYNSCAPES_ROOT='synscapes',
    CROSSCITY_ROOT='crosscity',
    GTA5_CYCLEGAN_ROOT='translated',
    ACDC_ROOT='acdc',
    DARK_ZURICH_ROOT='dark_zurich',
    LOVEDA_ROOT='loveda',
    POTSDAM_ROOT='potsdam',
    VAIHINGEN_ROOT='vaihingen',
    URBANSYN_ROOT='urbansyn',
)


def rearrange(minicity: Path) -> None:
    """Copy the files of MiniCity into the layouts of other data sets."""

    def copy(file: Path, to: Path) -> None:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)

    for number, image in enumerate(sorted((minicity / 'source/images').iterdir()), 1):
        copy(image, minicity / f'translated/images/{image.name}')
        copy(image, minicity / f'synscapes/img/rgb/{number}.png')
        copy(minicity / f'source/labels/{image.name}', minicity / f'synscapes/img/class/{number}.png')

    target, cityscapes = minicity / 'target', minicity / 'cityscapes'
    train = sorted((target / 'leftImg8bit/train').rglob('*.png'))
    labels = sorted((target / 'gtFine/val').rglob('*_labelIds.png'))
    for image, label in zip(train, labels, strict=True):  # labels of other images: accuracy does not matter here
        name = image.name.replace('leftImg8bit', 'gtFine_labelIds')
        copy(label, target / 'gtFine/train' / image.parent.name / name)
    shutil.copytree(target, cityscapes)
    night = ('train/night', 'val/night')
    adverse_weather(minicity / 'dark_zurich', train, labels, night)
    weather = ('fog', 'night', 'rain', 'snow')
    adverse_weather(
        minicity / 'acdc', train, labels, [f'{one}/{split}' for one in weather for split in ('train', 'val')]
    )
    for city in ('Rio', 'Rome', 'Taipei', 'Tokyo'):
        folder = minicity / 'crosscity' / city
        for number, (image, label) in enumerate(zip(train, labels, strict=True), 1):
            copy(image, folder / f'Images/Train/pano_{number:05d}.png')
            copy(image, folder / f'Images/Test/pano_9{number:04d}.png')
            copy(label, folder / f'Labels/Test/pano_9{number:04d}_eval.png')


def adverse_weather(root: Path, images: Sequence[Path], labels: Sequence[Path], places: Sequence[str]) -> None:
    """Write images and labels in the layout of Dark Zurich and ACDC, whose labels are train ids."""
    train_ids = lookup_array(get_label_table('cityscapes'))
    for place in places:
        for folder in (root / 'rgb_anon' / place / 'GOPR0351', root / 'gt' / place / 'GOPR0351'):
            folder.mkdir(parents=True)
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            name = f'{place}/GOPR0351/GOPR0351_frame_{number:06d}'
            shutil.copyfile(image, root / f'rgb_anon/{name}_rgb_anon.png')
            found = Image.fromarray(train_ids[np.array(Image.open(label))])
            found.save(root / f'gt/{name}_gt_labelTrainIds.png')


PLACES = {
    **{f'loveda/{split}/{area}/images_png/{{n}}.png': 8 for split in ('Train', 'Val') for area in AREAS},
    **{f'{city}/img_dir/{split}/{{n}}.png': 7 for city in ('potsdam', 'vaihingen') for split in ('train', 'val')},
    'urbansyn/rgb/rgb_{n}.png': 20,
}
"""Image paths of data sets whose label paths follow by `LABEL_NAMES`, with the number of ids in the labels."""

LABEL_NAMES = {'/images_png/': '/masks_png/', '/img_dir/': '/ann_dir/', '/rgb/rgb_': '/ss/ss_'}


def write_pair(image: Path, known: int, rng: np.random.Generator) -> None:
    """Write a random image, and a random label at the path that `LABEL_NAMES` derives from the path of the image."""
    label = str(image)
    for part, other in LABEL_NAMES.items():
        label = label.replace(part, other)
    for path, pixels in (
        (image, rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)),
        (Path(label), rng.integers(0, known, (48, 64), dtype=np.uint8)),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def make_roots(minicity: Path) -> dict:
    """Write all data sets that configs use, and return their folders by environment variable.

    They are MiniCity, its files in other layouts, tiny random ones such as SYNTHIA, and folders with lists of files.
    """
    rearrange(minicity)
    rng = np.random.default_rng(0)
    synthia, camvid = minicity / 'synthia', minicity / 'camvid'
    for folder in (synthia / 'RGB', synthia / 'GT/LABELS', camvid / 'images', camvid / 'labels', camvid / 'lists'):
        folder.mkdir(parents=True)
    pairs = []
    for i in range(3):
        image = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(synthia / f'RGB/{i:07d}.png'), image)
        label = np.zeros((48, 64, 3), np.uint16)  # in OpenCV's order of channels, the class id is in the last one
        label[:, :, 2] = rng.integers(0, 23, (48, 64))
        cv2.imwrite(str(synthia / f'GT/LABELS/{i:07d}.png'), label)
        cv2.imwrite(str(camvid / f'images/{i}.jpg'), image)
        Image.fromarray(rng.integers(0, 19, (48, 64), dtype=np.uint8)).save(camvid / f'labels/{i}.png')
        pairs.append((f'images/{i}.jpg', f'labels/{i}.png'))
        for place, known in PLACES.items():
            write_pair(minicity / place.format(n=f'{i:04d}'), known, rng)
    for name in ('source_all', 'target_train_labelled', 'target_val_labelled', 'target_test_labelled'):
        (camvid / f'lists/{name}.txt').write_text('\n'.join(map(' '.join, pairs)))
    (camvid / 'lists/target_train_unlabelled.txt').write_text('\n'.join(image for image, _ in pairs))
    return {variable: str(minicity / folder) for variable, folder in MARKS.items()}


MIT_CHANNELS = {64: 4, 128: 8, 320: 20, 512: 32}
"""Channels of the reduced MiT by those of the original, for each stage of the network."""


def small_daformer_head(node) -> dict:
    channels = [MIT_CHANNELS[count] for count in node.in_channels]
    return dict(in_channels=channels, channels=8, embed_dims=8)


def small_fcn_input(node) -> int:
    """Return the input channels of a reduced FCN head. The decode head of STDC (index 3) reads fused features."""
    fused = 8 if node.get('in_index') == 3 else 32
    return {2048: 32, 1024: 16, 384: 32, 320: 32, 256: fused, 128: 8}.get(node.get('in_channels'), 32)


def small_hrda(node) -> dict:
    """Return reduced settings of HRDA: detail crops have half the size of the crop (32x48) or of the image."""
    found = dict(detail_size=(16, 24) if node.detail_size[0] == node.detail_size[1] else (24, 32))
    if node.get('test_cfg', {}).get('mode') == 'slide':
        found['test_cfg'] = dict(mode='slide', crop_size=(32, 48), stride=(16, 24))
    return found


def small_masks(node) -> dict:
    return dict(masked=dict(node.masked, block=8))


SMALL_RESNET = dict(depth=18, base_channels=4, stem_channels=4, style='pytorch', init_cfg=None)
SMALLER = {
    'DeepLabResNet': SMALL_RESNET,
    'ResNet': SMALL_RESNET,
    'ResNet38': dict(base_channels=2, init_cfg=None),
    'EfficientNetLite': dict(init_cfg=None),
    'RandomCrop': dict(crop_size=(32, 48)),
    'ResNetV1c': SMALL_RESNET,
    'MiT': dict(embed_dims=4, num_layers=(1, 1, 1, 1), sr_ratios=(2, 2, 1, 1), init_cfg=None),
    'DAFormerHead': small_daformer_head,
    'HRDAEncoderDecoder': small_hrda,
    'RandomClassCrop': dict(size=(32, 48)),
    'OpenCrop': dict(size=(48, 64)),
    'LoadTrustedPixels': dict(border=dict(top=2, bottom=4)),
    'RareClassOrder': dict(min_pixels=0),
    **dict.fromkeys(('MICDACS', 'MICDAFormer', 'MICMinEnt', 'MICAdaptSegNet'), small_masks),
    'ResNet38Head': dict(in_channels=128, channels=8),
    'FCNVGG16': dict(base_channels=2, fc_channels=8, init_cfg=None),
    'FCN8sHead': dict(in_channels=[8, 16, 8]),
    'DeepLabVGG16': dict(base_channels=2, init_cfg=None),
    # The head of a backbone with one feature map (stage 4, or VGG-16) has index 0.
    'DeepLabV2Head': lambda node: dict(in_channels={0: 32, 2: 16, 3: 32}[node.in_index]),
    # Some discriminators read features instead of predictions.
    'FCDiscriminatorHead': lambda node: dict(
        base_channels=2, in_channels={1024: 16, 2048: 32}.get(node.in_channels, node.in_channels)
    ),
    'PixelDiscriminatorHead': dict(in_channels=32, channels=(8, 4)),
    'JPU': dict(mid_channels=8, norm_cfg=dict(type='GN', num_groups=4)),
    'FCNHead': lambda node: dict(in_channels=small_fcn_input(node), channels=8),
    'SegformerHead': lambda node: (
        dict(in_channels=[4, 8, 20, 32], channels=8) if list(node.in_channels) == [32, 64, 160, 256] else {}
    ),
    'SwinTransformer': dict(embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), init_cfg=None),
    'UPerHead': dict(in_channels=[8, 16, 32, 64], channels=8),
    'MobileNetV2': dict(widen_factor=0.1, init_cfg=None),
    'STDCNet': dict(channels=(4, 4, 8, 16, 32), init_cfg=None),
    'STDCContextPathNet': dict(
        last_in_channels=(32, 16), out_channels=8, ffm_cfg=dict(in_channels=16, out_channels=8, scale_factor=4)
    ),
    'STDCHead': dict(in_channels=8, channels=8),
    'PIDNet': dict(channels=4, ppm_channels=8, init_cfg=None),
    'PIDHead': dict(in_channels=16, channels=8),
    'PadCrop': dict(size=(48, 64)),
    'ResizeLongSide': dict(length=64),
    'SmallClassCrop': lambda node: dict(size=32, origin_size=64, max_shape=node.get('max_shape') and (48, 64)),
    'TrainStage': lambda node: short_training(node),
    'PriorStage': dict(size=(24, 32), kernel=5),
    # Keep all rounds, each with two networks, so that labels are made from the mean of several networks.
    'BandRounds': lambda node: dict(
        betas=node.betas[:2], label={**node.label, 'band_weights': node.label.band_weights and [0.5, 0.5]}
    ),
    'CBSTRounds': lambda node: dict(
        num_rounds=1, epochs_per_round=1, source_portion={**node.source_portion, 'init': 0.5, 'max': 0.6}
    ),
}
"""Options that reduce a part of a config, by its type; a function computes them from the part."""


def short_training(stage) -> dict:
    """Shorten a training stage to two iterations if it sets its own length."""
    overrides = stage.get('overrides', {})
    if 'train_cfg' in overrides:
        overrides.train_cfg.update(max_iters=2, val_interval=2)
    return {}


def shrink(node, size=(64, 48)) -> None:
    """Reduce a config in place: width, depth, image size, workers. It computes the same on fewer numbers.

    Args:
        node: The config, or a part of it.
        size: (W, H) of the images.
    """
    if isinstance(node, dict):
        smaller = dict(scale=size) if node.get('type') == 'Resize' else SMALLER.get(node.get('type'), {})
        node.update(smaller(node) if callable(smaller) else smaller)
        for value in node.values():
            shrink(value, size)
        if 'num_workers' in node:
            node.num_workers = 0
            node.pop('persistent_workers', None)
    elif isinstance(node, (list, tuple)):
        for value in node:
            shrink(value, size)


def reduced(path: Path, work_dir: Path, roots: dict) -> Config:
    os.environ.update(roots)
    try:
        cfg = load_config(path, work_dir=str(work_dir))
    finally:
        for variable in roots:
            del os.environ[variable]
    if cfg.model.type == 'FeatureAdversary':
        shrink(cfg._cfg_dict, size=(256, 256))  # the features are an eighth, halved five times
    else:
        shrink(cfg._cfg_dict)
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    # Each run writes the text of its config. To format this text takes as long as the run.
    return Config(cfg.to_dict(), filename=cfg.filename, format_python_code=False)
