#!/usr/bin/env bash
# Shared by the other scripts:   launch.sh PROCESSES_PER_NODE SCRIPT [arguments]
set -euo pipefail
PYTHON=${PYTHON:-python}
NNODES=${NNODES:-1}
# Without this, PyTorch warns at every start that find_unused_parameters is set but not needed.
export TORCH_CPP_LOG_LEVEL=${TORCH_CPP_LOG_LEVEL:-ERROR}
if [ "$NNODES" = 1 ]; then
    where=(--standalone)  # torchrun takes a free port, so two trainings can share a machine
else
    where=(--nnodes="$NNODES" --node_rank="${NODE_RANK:?is not set}" --master_addr="${MASTER_ADDR:?is not set}"
           --master_port="${PORT:-29500}")
fi
exec "$PYTHON" "$(dirname "$0")/launch.py" "${where[@]}" --nproc_per_node="$1" "$2" "${@:3}" --launcher pytorch
