"""Folders of data sets in configs, and notes about runs that read different folders."""

from mmengine.config import Config

from mmuda.comparison.roots import data_roots, root_notes


def test_roots_are_found_at_any_depth():
    pair = dict(source=dict(data_root='/a'), target=dict(datasets=[dict(data_root='/b'), dict(type='X')]))
    cfg = Config(dict(train_dataloader=dict(dataset=pair), other=dict(data_root=None), name='data_root'))
    assert data_roots(dict(cfg.items())) == {
        'train_dataloader.dataset.source': '/a',
        'train_dataloader.dataset.target.datasets.0': '/b',
    }
    assert data_roots(pair['source'], 'dataset') == {'dataset': '/a'}


def test_only_roots_that_differ_are_told():
    roots = {'x/seed_0': dict(source=['/a'], target=['/t']), 'y/seed_0': dict(source=['/a', '/b']), 'z/seed_0': {}}
    assert root_notes(roots) == [
        'the trainings read source from different folders, which may hold different data: /a (x/seed_0); '
        '/a and /b (y/seed_0)'
    ]
    assert root_notes({name: dict(source=['/a']) for name in roots}) == []
