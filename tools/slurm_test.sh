#!/usr/bin/env bash
# Test under Slurm:   tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]
# Settings from the environment: see slurm.sh.
exec "$(dirname "$0")/slurm.sh" test.py "$@"
