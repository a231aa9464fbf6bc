"""SIM's discriminator losses, images, labels and scores against the original's."""
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import golden_files, load
from mmcv.transforms import Compose
from mmengine.optim import PolyLR
from mmengine.registry import DefaultScope
from mmseg.registry import TRANSFORMS
from PIL import Image
from standins import discriminator_names, load_discriminator

from mmuda.datasets import get_label_table
from mmuda.evaluation.confusion import pair_counts
from mmuda.models import FCDiscriminatorHead
from mmuda.models.losses import SOURCE, TARGET, vanilla_gan_loss


@pytest.mark.parametrize('path', golden_files('sim', 'adversarial'))
def test_adversarial_losses(path):
    data = load(path)
    weights = {key[2:]: value for key, value in data.items() if key.startswith('D.')}
    critic = FCDiscriminatorHead(weights['conv1.weight'].shape[1], base_channels=len(weights['conv1.bias']))
    load_discriminator(critic, weights)
    logits = {side: torch.from_numpy(data[f'{side}_logits']).requires_grad_() for side in ('src', 'trg')}

    def scores(side: str, maps: torch.Tensor) -> torch.Tensor:
        size = tuple(data[f'{side}_size'].tolist())
        return critic(F.interpolate(maps, size=size, mode='bilinear', align_corners=True).softmax(dim=1))

    for side in logits:
        np.testing.assert_allclose(scores(side, logits[side]).detach(), data[f'D_out_{side}'], rtol=0, atol=1e-6)
    loss = vanilla_gan_loss(scores('trg', logits['trg']), SOURCE)
    np.testing.assert_allclose(loss.item(), data['loss_adv'], rtol=0, atol=1e-6)
    grad, = torch.autograd.grad(loss, logits['trg'])
    np.testing.assert_allclose(grad, data['grad_trg_logits'], rtol=0, atol=1e-6)
    halves = [vanilla_gan_loss(scores(side, logits[side].detach()), domain) / 2 for side, domain in (('src', SOURCE), ('trg', TARGET))]
    np.testing.assert_allclose([half.item() for half in halves], [data['loss_D_src_half'], data['loss_D_trg_half']], rtol=0, atol=1e-6)
    sum(halves).backward()
    names = discriminator_names(weights)
    for key, name in names.items():
        np.testing.assert_allclose(critic.get_parameter(name).grad, data[f'gradD.{key}'], rtol=0, atol=1e-6, err_msg=key)


def processed(image: np.ndarray, size, label: np.ndarray = None, table=None, loader: dict = None, tmp_path=None) -> tuple:
    """An image file and its label through our pipeline: normalised pixels (3, h, w), and train ids (h, w)."""
    Image.fromarray(image).save(tmp_path / 'image.png')
    results = dict(img_path=str(tmp_path / 'image.png'), seg_fields=[], reduce_zero_label=False, label_map=None, num_classes=19)
    steps = [dict(type='LoadDomainImage')]
    resize = dict(type='Resize', scale=tuple(size), keep_ratio=False, backend='pillow', interpolation='bicubic')
    if label is not None:
        Image.fromarray(label).save(tmp_path / 'label.png')
        results['seg_map_path'] = str(tmp_path / 'label.png')
    if table is not None:
        results.update(label_table=get_label_table(table), label_channel=None)
        steps.append(dict(type='LoadDomainAnnotations', unknown=255))
    steps.append(resize)
    if loader is not None:
        steps.append(loader)
    with DefaultScope.overwrite_default_scope('mmseg'):
        results = Compose([TRANSFORMS.build(step) for step in steps])(results)
    return results['img'].astype(np.float32).transpose(2, 0, 1), results.get('gt_seg_map')


@pytest.mark.parametrize('path', golden_files('sim', 'data_pipeline'))
def test_images_and_labels(path, tmp_path):
    data = load(path)
    mean = data['mean_bgr'][:, None, None]
    for table, name in (('gta5', 'gta'), ('synthia', 'synthia')):
        image, label = processed(data['src_rgb'], data['crop_wh'].tolist(), data[f'{name}_label'], table, tmp_path=tmp_path)
        np.testing.assert_allclose(image - mean, data[f'{name}_img_out'], rtol=0, atol=1e-4)
        np.testing.assert_array_equal(label, data[f'{name}_label_out'])
    image, _ = processed(data['trg_rgb'], data['trg_crop_wh'].tolist(), tmp_path=tmp_path)
    np.testing.assert_allclose(image - mean, data['trg_img_out'], rtol=0, atol=1e-4)
    _, label = processed(data['trg_rgb'], data['trg_crop_wh'].tolist(), data['trg_pseudo'],
                         loader=dict(type='LoadPseudoLabel', resize=True), tmp_path=tmp_path)
    np.testing.assert_array_equal(label, data['trg_label_out'])


@pytest.mark.parametrize('path', golden_files('sim', 'lr_schedule'))
def test_learning_rates(path):
    data = load(path)
    bases = [float(data['base_lr']), 10 * float(data['base_lr']), float(data['base_lr_D'])]
    optimizer = torch.optim.SGD([dict(params=[torch.nn.Parameter(torch.zeros(1))], lr=base) for base in bases])
    schedule = PolyLR(optimizer, power=float(data['power']), begin=0, end=int(data['max_iter']) + 1, by_epoch=False)
    optimizer.step()  # mmengine warns about schedulers that step first
    wanted = {int(i): rates for i, *rates in zip(data['iter'], data['lr_backbone'], data['lr_classifier'], data['lr_D'])}
    for i in range(max(wanted) + 1):
        if i in wanted:
            np.testing.assert_allclose([group['lr'] for group in optimizer.param_groups], wanted[i], rtol=1e-8, atol=1e-15)
        schedule.step()


@pytest.mark.parametrize('path', golden_files('sim', 'eval_iou'))
def test_scores(path):
    data = load(path)
    table = get_label_table('cityscapes')
    ids = np.full(256, 255, np.int64)
    for raw, train in table.pairs:
        if raw < 256:
            ids[raw] = train
    hist = sum(pair_counts(torch.from_numpy(pred.astype(np.int64)), torch.from_numpy(ids[gt]), 19)
               for pred, gt in zip(data['pred'], data['gt_label_ids']))
    hist = hist[1:-1, 1:-1].numpy()  # without what is no class
    np.testing.assert_array_equal(hist, data['hist'])
    with np.errstate(invalid='ignore'):
        iou = np.diag(hist) / (hist.sum(0) + hist.sum(1) - np.diag(hist))
    np.testing.assert_allclose(iou, data['iou'], rtol=1e-12)
    assert round(100 * np.nanmean(iou), 2) == data['miou_percent']
