"""Tests of `tools/minicity.py`."""

import json

from commands import TOOLS, run


def test_a_town_is_written_and_bad_input_is_one_line(tmp_path):
    command = [TOOLS / 'minicity.py', tmp_path / 'town', '--num-source', 1, '--num-target', 2, '--num-val', 1]
    told = run(tmp_path, *command, '--size', 64, 32, '--seed', 3)
    assert f'MiniCity is in {tmp_path / "town"}' in told.splitlines()
    assert len(list((tmp_path / 'town').rglob('*.png'))) == 1 + 1 + 2 + 1 + 1
    told = run(tmp_path, *command, '--size', 64, 48, fails=True)
    assert told.startswith('error: ') and len(told.splitlines()) == 1 and '--overwrite' in told


def test_labels_for_an_oracle_are_added(tmp_path):
    command = [TOOLS / 'minicity.py', tmp_path / 'town', '--num-source', 1, '--num-target', 2, '--num-val', 1]
    for options, labels in (([], 0), (['--oracle-labels'], 2), ([], 2)):
        run(tmp_path, *command, '--size', 64, 32, *options)
        assert len(list((tmp_path / 'town/target/gtFine/train').rglob('*.png'))) == labels


def test_a_town_has_a_version(tmp_path):
    command = [TOOLS / 'minicity.py', tmp_path / 'town', '--num-source', 1, '--num-target', 1, '--num-val', 1]
    run(tmp_path, *command, '--size', 64, 32, '--version', 1)
    assert json.loads((tmp_path / 'town/minicity.json').read_text())['version'] == 1
    told = run(tmp_path, *command, '--size', 64, 32, fails=True)
    assert told.startswith('error: ') and 'version: found 1, wanted 2' in told
