"""`tools/minicity.py`."""

from commands import TOOLS, run


def test_a_town_is_written_and_bad_input_is_one_line(tmp_path):
    command = [TOOLS / 'minicity.py', tmp_path / 'town', '--num-source', 1, '--num-target', 2, '--num-val', 1]
    told = run(tmp_path, *command, '--size', 64, 32, '--seed', 3)
    assert told.splitlines()[-1] == f'MiniCity is in {tmp_path / "town"}'
    assert len(list((tmp_path / 'town').rglob('*.png'))) == 1 + 1 + 2 + 1 + 1
    told = run(tmp_path, *command, '--size', 64, 48, fails=True)
    assert told.startswith('error: ') and len(told.splitlines()) == 1 and '--overwrite' in told
