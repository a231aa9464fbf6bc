"""What stages are made of: references by name, the ledger, the schedules of self-training."""

import json

import pytest

from mmuda.settings import comparable, differences, fingerprint
from mmuda.stages.ledger import Ledger
from mmuda.stages.references import references, rename, resolve
from mmuda.stages.rounds import CBSTRounds, check_batch, portion_schedule


def test_references_are_found_and_resolved(tmp_path):
    value = dict(a='{rank}/easy.txt', b=['{label}', ('plain', 3)], c='no {rank} inside')
    assert set(references(value)) == {'rank', 'label'}
    found = resolve(value, dict(rank=tmp_path / 'r', label=tmp_path / 'l'))
    assert found == dict(a=f'{tmp_path}/r/easy.txt', b=[f'{tmp_path}/l', ('plain', 3)], c='no {rank} inside')
    with pytest.raises(KeyError, match='label.*there are rank'):
        resolve(value, dict(rank=tmp_path))


def test_rounds_have_their_own_names():
    found = rename(dict(a='{label}', b='{prior}/prior.npz'), dict(label='rounds/2/label'))
    assert found == dict(a='{rounds/2/label}', b='{prior}/prior.npz')


def test_settings_do_not_depend_on_where_data_is():
    here = dict(dataset=dict(type='A', data_root='/x'), num_workers=2, lr=0.1, size=(1, 2))
    there = dict(dataset=dict(type='A', data_root='/y'), num_workers=0, lr=0.1, size=[1, 2])
    assert fingerprint(here) == fingerprint(there)
    assert differences(comparable(here), comparable(dict(there, lr=0.2, more=dict(a=1)))) == [
        'lr: was 0.1, is 0.2',
        'more: was null, is {"a": 1}',
    ]


def test_ledger_survives_and_notices_changes(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.begin('a', dict(lr=0.1), dict(file='123'))
    assert Ledger(tmp_path).status('a') == 'running'
    ledger.finish('a', dict(checkpoint='iter_1.pth'), 1.23)
    again = Ledger(tmp_path)
    assert again.status('a') == 'done' and again.result('a') == dict(checkpoint='iter_1.pth')
    again.check('a', dict(lr=0.1), dict(file='123'))
    assert again.identity('a') and again.identity('b') is None
    with pytest.raises(RuntimeError, match=r'(?s)lr: was 0.1, is 0.3.*--restart-from a'):
        again.check('a', dict(lr=0.3), dict(file='123'))
    with pytest.raises(RuntimeError, match='file is not what it was made from any more'):
        again.check('a', dict(lr=0.1), dict(file='456'))
    again.forget(['a'])
    assert Ledger(tmp_path).status('a') is None


def test_ledgers_of_earlier_versions_are_read(tmp_path):
    """They named stages without braces."""
    entries = {
        'source': dict(status='done', id='1', settings=dict(weights=None), inputs={}, result={}, seconds=1.0),
        'train': dict(status='running', id='2', settings=dict(weights='source', lr=1), inputs=dict(source='1')),
    }
    (tmp_path / 'ledger.json').write_text(json.dumps(dict(format=1, stages=entries)))
    ledger = Ledger(tmp_path)
    ledger.check('train', dict(weights='{source}', lr=1), dict(source='1'))
    ledger.finish('train', {}, 2.0)
    assert Ledger(tmp_path).status('train') == 'done'


@pytest.mark.parametrize('content', ['', '{"format": 9, "stages": {}}', '[]', '{"format": 1}'])
def test_a_damaged_ledger_is_one_clear_error(tmp_path, content):
    (tmp_path / 'ledger.json').write_text(content)
    with pytest.raises(ValueError, match='ledger.json cannot be read'):
        Ledger(tmp_path)


def test_portions_are_a_guarded_sum():
    assert portion_schedule(0.15, 0.05, 0.5, 10)[-3:] == [0.5, 0.55, 0.55]  # not min(0.5)
    assert portion_schedule(0.3, 0.0025, 0.06, 3) == [0.3, 0.3, 0.3]


def rounds(**changes) -> CBSTRounds:
    return CBSTRounds(
        **{
            **dict(
                name='rounds',
                weights='{source}',
                num_rounds=3,
                label=dict(strategy=dict(type='ClassBalanced', portion=0.1)),
                train=dict(labels='{label}/x', prior='{prior}'),
                target_portion=dict(init=0.2, step=0.05, max=0.5),
                source_portion=dict(init=0.1, step=0.1, max=0.6),
            ),
            **changes,
        }
    )


def test_rounds_expand_into_pairs_of_stages():
    stages = rounds().expand()
    assert [stage.name for stage in stages] == [f'rounds/{r}/{kind}' for r in range(3) for kind in ('label', 'train')]
    assert [stage.weights for stage in stages] == [
        *2 * ['{source}'],
        *2 * ['{rounds/0/train}'],
        *2 * ['{rounds/1/train}'],
    ]
    assert [label.strategy['portion'] for label in stages[::2]] == [0.2, 0.25, 0.3]
    assert [train.lr_factor for train in stages[1::2]] == pytest.approx([1, 0.5**0.5, 0.5])
    assert stages[3].overrides == dict(labels='{rounds/1/label}/x', prior='{prior}')
    assert [train.sample_seed for train in stages[1::2]] == [0, 0, 0]
    assert [train.sample_seed for train in rounds(sample_policy='random', sample_seed=7).expand()[1::2]] == [0, 1, 2]


def test_mistakes_in_rounds_are_told_at_once():
    with pytest.raises(ValueError, match="sample_policy is 'all'"):
        rounds(sample_policy='all')
    with pytest.raises(ValueError, match=r"target_portion needs init, step and max, but has \['init'\]"):
        rounds(target_portion=dict(init=0.1))
    with pytest.raises(ValueError, match=r'source_portion runs through \[0.9, 1.1, 1.1\]'):
        rounds(source_portion=dict(init=0.9, step=0.2, max=1.0))


def test_ledger_is_plain_json(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.begin('a', dict(kind=int, size=(1, 2)), {})
    assert json.loads((tmp_path / 'ledger.json').read_text())['stages']['a']['settings']['size'] == [1, 2]


def test_a_round_does_not_go_on_with_another_batch(tmp_path):
    for _ in range(2):
        check_batch(tmp_path, 4, 'rounds/0/train')
    with pytest.raises(
        RuntimeError, match=r'begun with 4 images in an iteration, now there are 8.*--restart-from rounds/0/train'
    ):
        check_batch(tmp_path, 8, 'rounds/0/train')
