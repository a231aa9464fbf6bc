#!/usr/bin/env bash
# Shared by slurm_train.sh and slurm_test.sh:   slurm.sh SCRIPT PARTITION JOB_NAME [arguments of the script]
# GPUS_PER_NODE (8), NNODES (1), CPUS_PER_TASK (5 per GPU) and SRUN_ARGS are read from the environment.
set -euo pipefail
export GPUS_PER_NODE=${GPUS_PER_NODE:-8} NNODES=${NNODES:-1} PORT=${PORT:-29500}
HERE=$(cd "$(dirname "$0")" && pwd)
# One launcher on each node, which starts a process for each GPU.
# shellcheck disable=SC2086,SC2016
exec srun -p "$2" --job-name="$3" --nodes="$NNODES" --ntasks-per-node=1 --gres=gpu:"$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-$((5 * GPUS_PER_NODE))}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    bash -c 'export NODE_RANK=$SLURM_NODEID MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
             exec "$@"' slurm "$HERE/launch.sh" "$GPUS_PER_NODE" "$HERE/$1" "${@:4}"
