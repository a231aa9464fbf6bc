"""HRDA: crops, windows, the levels that methods get, and mistakes in a config."""

import pytest
import torch
from toolbox import NUM_CLASSES, side, tiny_adaptor, tiny_segmentor, wrappers_of

import projects.daformer  # noqa: F401
from mmuda.models import SourceOnly
from projects.hrda import Box, HRDAHead, HRDAOutputs, cut_windows, draw_box, join_windows, sliding_windows


def hrda(detail_size=(16, 24), stride: int = 8, **kwargs) -> dict:
    """Return the config of a small network of two resolutions."""
    segmentor = tiny_segmentor(two_levels=False, align_corners=False)
    head = segmentor.pop('decode_head')
    return dict(
        segmentor,
        type='HRDAEncoderDecoder',
        auxiliary_head=None,
        detail_size=detail_size,
        decode_head=dict(type='HRDAHead', head=head, scale_attention=head, stride=stride),
        **kwargs,
    )


def levels(*terms: str) -> dict:
    return {f'{term}_{level}': weight for term in terms for level, weight in dict(main=0.9, detail=0.1).items()}


def model_of(type: str = 'SourceOnly', terms=('seg',), **kwargs):
    options = {key: kwargs.pop(key) for key in list(kwargs) if key in ('teacher', 'loss_weights', 'distance_classes')}
    options.setdefault('loss_weights', levels(*terms))
    return tiny_adaptor(type, segmentor=hrda(**kwargs), **options)


SIZE = (48, 64)


def batch(seed: int = 0) -> dict:
    return dict(source=side(seed, True, size=SIZE), target=side(seed + 100, False, size=SIZE))


@pytest.mark.parametrize('size', [(48, 64), (47, 65), (16, 24), (10, 64)])
@pytest.mark.parametrize('overlap', [True, False])
def test_windows_cover_the_image(size, overlap):
    windows = sliding_windows(size, (16, 24), overlap)
    seen = torch.zeros(size)
    for window in windows:
        window.of(seen).add_(1)
        assert window.size == (min(16, size[0]), min(24, size[1]))
    assert seen.min() >= 1 and len(set(windows)) == len(windows)


def test_windows_are_joined_to_what_was_cut():
    images = torch.rand(2, 3, 12, 20)
    windows = sliding_windows((12, 20), (8, 8))
    torch.testing.assert_close(join_windows(cut_windows(images, windows), windows, (12, 20), 1), images)


def test_crops():
    drawn = []
    assert draw_box((64, 96), (32, 48), 16, lambda bound: drawn.append(bound) or bound - 1) == Box(16, 48, 32, 80)
    assert drawn == [2, 3], 'the last place is never drawn'
    last = draw_box((64, 96), (32, 48), 16, lambda bound: drawn.append(bound) or bound - 1, last_place=True)
    assert last == Box(32, 64, 48, 96) and drawn[2:] == [3, 4]
    assert draw_box((32, 48), (32, 48), 16, lambda bound: pytest.fail('nothing is drawn')) == Box(0, 32, 0, 48)
    larger = draw_box((40, 48), (64, 32), 8, lambda bound: 0)
    assert larger == Box(0, 64, 0, 32) and larger.within((40, 48)) == Box(0, 40, 0, 32), 'a smaller image is no error'


def test_levels_in_training():
    model = model_of().train()
    assert model.segmentor.divisor == 16, 'aligned with the cells of the context'
    outputs = model.segment(model.data_preprocessor(batch(), training=True)['source'])
    assert isinstance(outputs, HRDAOutputs) and outputs.levels == ('detail', 'main')
    assert outputs.logits['main'].shape == (2, NUM_CLASSES, 6, 8) and outputs.logits['detail'].shape[-2:] == (2, 3)
    assert outputs.upsample('main').shape[-2:] == SIZE and outputs.upsample('detail').shape[-2:] == (16, 24)
    labels = torch.arange(48 * 64).view(1, 48, 64)
    top, _, left, _ = outputs.box
    assert outputs.region('detail', labels)[0, 0, 0] == top * 64 + left and outputs.region('main', labels) is labels
    assert outputs.features[-1].shape[-2:] == (4, 5), 'of the context, 24x32'
    supervised = model_of(context_loss=True, loss_weights=dict(levels('seg'), seg_context=0.1)).train()
    logs = supervised.train_step(batch(), wrappers_of(supervised))
    assert {'loss_seg_main', 'loss_seg_detail', 'loss_seg_context'} <= set(logs)


def test_the_context_of_odd_images_is_sampled_at_the_scale():
    columns = torch.arange(65.0).expand(1, 3, 47, 65)
    context = model_of().segmentor.context_images(columns)
    assert context.shape == (1, 3, 23, 32)
    torch.testing.assert_close(context[0, 0, 0], torch.arange(32) * 2 + 0.5)


def test_boxes_differ_between_passes_and_are_those_of_a_resume():
    def boxes(model, passes: int) -> list:
        images = torch.rand(1, 3, 96, 160)
        with torch.no_grad():
            return [model.segmentor(images, mode='outputs').box for _ in range(passes)]

    whole = boxes(model_of().train(), 6)
    assert len(set(whole)) > 1
    first = model_of().train()
    boxes(first, 3)
    resumed = model_of().train()
    resumed.load_state_dict(first.state_dict())
    assert boxes(resumed, 3) == whole[3:]


def test_without_training_windows_cover_the_image():
    segmentor = model_of().eval().segmentor
    images = torch.rand(2, 3, *SIZE)
    with torch.no_grad():
        outputs = segmentor(images, mode='outputs')
        assert outputs.levels == ('main',) and type(outputs) is not HRDAOutputs
        features = segmentor(images, mode='features')
        assert features.levels == () and torch.equal(features.features[-1], outputs.features[-1])
        torch.testing.assert_close(segmentor(images), outputs.logits['main'])
        few = model_of(windows_at_once=3).eval().segmentor
        few.load_state_dict(segmentor.state_dict())
        torch.testing.assert_close(few(images), outputs.logits['main'])
        assert segmentor.random.iterations.read() == 0


def test_predictions_have_the_size_of_the_image():
    model = model_of().eval()
    (found, _) = model.test_step(side(0, False, size=SIZE))
    assert found.pred_sem_seg.data.shape == (1, *SIZE)
    assert model.probabilities(side(0, False, size=SIZE), at='input')[0].shape == (NUM_CLASSES, *SIZE)


@pytest.mark.parametrize('type', ['SourceOnly', 'MinEnt', 'DACS', 'DAFormer'])
def test_methods_train_it(type):
    terms = dict(SourceOnly=('seg',), MinEnt=('seg', 'ent')).get(type, ('seg', 'mix'))
    options = dict(teacher=dict(mode='sliding')) if type in ('DACS', 'DAFormer') else {}
    if type == 'DAFormer':
        options['distance_classes'] = (1, 2)
    model = model_of(type, terms, **options).train()
    before = {name: value.clone() for name, value in model.segmentor.named_parameters()}
    logs = model.train_step(batch(), wrappers_of(model))
    assert {'loss_seg_main', 'loss_seg_detail'} <= set(logs) and all(value.isfinite().all() for value in logs.values())
    still = [name for name, value in model.segmentor.named_parameters() if torch.equal(value, before[name])]
    assert not [name for name in still if 'head' in name]


def test_a_level_without_a_weight_is_an_error():
    model = tiny_adaptor('SourceOnly', segmentor=hrda()).train()
    assert isinstance(model, SourceOnly)
    with pytest.raises(KeyError, match="no loss weight 'seg_detail'.*one more level of the segmentor, to loss_weights"):
        model.train_step(batch(), wrappers_of(model))


def test_a_wrong_stride_is_an_error():
    model = model_of(stride=4).eval()
    with pytest.raises(ValueError, match=r'have size .*, which does not fit stride=4: set stride to that of the head'):
        model.segmentor(torch.rand(1, 3, *SIZE))
    with pytest.raises(ValueError, match=r'detail_size=\(20, 24\), expected multiples of 8 pixels'):
        model_of(detail_size=(20, 24))


@pytest.mark.parametrize('size', [(47, 65), (50, 70), (16, 24), (10, 90)])
def test_images_of_any_size_are_predicted(size):
    model = model_of().eval()
    (found, _) = model.test_step(side(0, False, size=size))
    assert found.pred_sem_seg.data.shape == (1, *size) and found.seg_logits.data.isfinite().all()


def test_an_attention_is_learnt_or_fixed():
    head = tiny_segmentor(two_levels=False).decode_head
    with pytest.raises(ValueError, match='scale_attention or fixed_attention'):
        HRDAHead(head)
    with pytest.raises(ValueError, match=r'context_scale=2, expected|context_scale=2 and stride=8'):
        HRDAHead(head, fixed_attention=0.5, context_scale=2, stride=8)
    cfg = hrda()
    cfg['decode_head'] = dict(type='HRDAHead', head=cfg['decode_head']['head'], fixed_attention=1.0, stride=8)
    only_detail = tiny_adaptor('SourceOnly', segmentor=cfg).eval().segmentor
    images = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        straight = only_detail.decode_head.head(only_detail.extract_feat(images))
        straight = torch.nn.functional.interpolate(straight, size=(2, 3), mode='bilinear', align_corners=False)
        torch.testing.assert_close(only_detail(images), straight)


def test_it_has_no_auxiliary_head_and_no_loss_of_its_own():
    cfg = hrda()
    cfg['auxiliary_head'] = tiny_segmentor().auxiliary_head
    with pytest.raises(ValueError, match='leave auxiliary_head out'):
        tiny_adaptor('SourceOnly', segmentor=cfg)
    with pytest.raises(RuntimeError, match='is trained by an adaptor'):
        model_of().segmentor(torch.rand(1, 3, *SIZE), [], mode='loss')
