#!/usr/bin/env bash
# Train under Slurm:   tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of tools/train.py]
# Settings from the environment: see slurm.sh.
exec "$(dirname "$0")/slurm.sh" train.py "$@"
