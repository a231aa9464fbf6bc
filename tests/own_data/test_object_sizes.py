"""The warning about objects of different sizes in two domains, and its remedy."""

import numpy as np
import pytest
from own_folders import render, scene, write, write_folders

from mmuda.datasets import build_dataset
from mmuda.engine.launch import load_config
from mmuda.own_data.new_pair import Request, new_pair
from mmuda.own_data.object_sizes import about_object_sizes
from mmuda.own_data.pair_config import pair_files
from mmuda.own_data.plan import make_plan
from mmuda.own_data.survey import Survey
from mmuda.own_data.writing import write_files


def told(source, target, **options) -> str:
    domains = [Survey(1, 1, np.array([size])) for size in (source, target)]
    return '\n'.join(about_object_sizes(*domains, make_plan(*domains, domains[1], **options)))


def test_similar_sizes_need_no_warning():
    assert told((640, 480), (1000, 750)) == '' and told((1000, 750), (640, 480)) == ''
    assert told((1914, 1052), (4000, 2200)) == '', 'both are scaled to 1280 pixels'


def test_the_larger_domain_is_resized_to_the_area_of_the_other():
    shown = told((640, 480), (1280, 960))
    assert 'images of the target have 4.0 times the area of those of the source: objects may be 2.0 times' in shown
    assert 'in target_pipeline and test_pipeline:' in shown and "dict(type='Resize', scale=(640, 640), keep" in shown
    shown = told((4000, 3000), (640, 480))
    assert 'after LoadDomainAnnotations in source_pipeline, in place of the resize there:' in shown
    assert 'scale=(640, 640)' in shown
    assert 'scale=(1024, 1024)' in told((512, 512), (1200, 600)), 'crops of 512 x 512 still fit'
    assert 'scale=(1200, 1200)' in told((64, 64), (1200, 600), crop=(640, 640))


@pytest.mark.parametrize('large', ['target', 'source'])
def test_the_line_fits_into_the_pipelines(tmp_path, large):
    data, lines = write_folders(tmp_path), []
    for number in (1, 2, 3):
        if large == 'target':
            write(data / 'photographs' / f'IMG_{number}.JPG', render(scene(number, 120, 160)))
            write(data / 'checked' / 'images' / f'{number}.jpg', render(scene(number, 120, 160)))
            write(data / 'checked' / 'masks' / f'{number}_mask.png', scene(number, 120, 160))
        else:
            write(data / 'renders' / 'rgb' / 'town' / f'{number:04d}.png', render(scene(number, 120, 160)))
            write(data / 'renders' / 'labels' / 'town' / f'{number:04d}.png', scene(number, 120, 160))
    folders = [str(data / name) for name in ('renders', 'photographs', 'checked')]
    pair = new_pair(Request(*folders, classes=['a', 'b', 'c']), lines.append)
    assert f'images of the {large} have 6.2 times' in lines[-2]
    files = pair_files(pair)
    for name in {'target': ('target', 'test'), 'source': ('source',)}[large]:
        head, pipeline = files['pair.py'].split(f'{name}_pipeline = [\n')
        first, rest = pipeline.split('\n', 1)
        if large == 'source':
            second, rest = rest.split('\n', 1)
            first += f'\n{second}'
        files['pair.py'] = f'{head}{name}_pipeline = [\n{first}\n{lines[-1]}\n{rest}'
    write_files(tmp_path / 'out', files, overwrite=False)
    cfg = load_config(tmp_path / 'out' / 'pair.py')
    resized = {'target': cfg.val_dataloader.dataset, 'source': cfg.train_dataloader.dataset.source}[large]
    pipeline = [step for step in resized.pipeline if step.type != 'RandomClassCrop']
    sample = build_dataset(dict(resized, pipeline=pipeline))[0]
    assert sample['inputs'].shape == (3, 48, 64)
    assert sample['data_samples'].gt_sem_seg.shape == ((120, 160) if large == 'target' else (48, 64))
    assert build_dataset(dict(cfg.train_dataloader.dataset))[0, 0, 0][large]['inputs'].shape == (3, 48, 64)
