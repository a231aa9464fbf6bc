"""Shell scripts: their syntax, and the commands they start."""

import os
import subprocess
import sys

from commands import TOOLS


def test_shell_scripts_parse_and_say_what_they_need():
    for script in TOOLS.glob('*.sh'):
        subprocess.run(['bash', '-n', str(script)], check=True)
        assert os.access(script, os.X_OK), script
    out = subprocess.run(
        [str(TOOLS / 'dist_train.sh'), 'c.py', '2'],
        capture_output=True,
        text=True,
        env=dict(os.environ, NNODES='2', PYTHON=sys.executable),
    )
    assert out.returncode != 0 and 'NODE_RANK' in out.stderr


FAKE_SRUN = """#!/usr/bin/env bash
while [ "$1" != bash ]; do echo "option $1" >&2; shift; done
SLURM_NODEID=1 SLURM_JOB_NODELIST=nodes exec "$@"
"""


def test_slurm_scripts_start_one_launcher_on_each_node(tmp_path):
    for name, text in dict(srun=FAKE_SRUN, scontrol='#!/usr/bin/env bash\necho first-node').items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    env = dict(os.environ, PATH=f'{tmp_path}:{os.environ["PATH"]}', PYTHON='echo', GPUS_PER_NODE='4', NNODES='2')
    for script, arguments in (('train', 'CONFIG --resume'), ('test', 'CONFIG CHECKPOINT')):
        command = [str(TOOLS / f'slurm_{script}.sh'), 'queue', 'name', *arguments.split()]
        out = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
        for option in ('-p', 'queue', '--job-name=name', '--nodes=2', '--gres=gpu:4', '--cpus-per-task=20'):
            assert f'option {option}\n' in out.stderr
        assert '--nnodes=2 --node_rank=1 --master_addr=first-node --master_port=29500 --nproc_per_node=4' in out.stdout
        assert f'tools/{script}.py {arguments} --launcher pytorch' in out.stdout
