"""The ledger of stages: its entries, the changes it detects, and errors."""

import json

import pytest

from mmuda.stages.ledger import Ledger


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
    with pytest.raises(RuntimeError, match='file has changed since this stage was started'):
        again.check('a', dict(lr=0.1), dict(file='456'))
    again.forget(['a'])
    assert Ledger(tmp_path).status('a') is None


def test_ledgers_of_earlier_versions_are_read(tmp_path):
    """Ledgers of earlier versions, which name stages without braces, are read."""
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


def test_ledger_is_plain_json(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.begin('a', dict(kind=int, size=(1, 2)), {})
    assert json.loads((tmp_path / 'ledger.json').read_text())['stages']['a']['settings']['size'] == [1, 2]
