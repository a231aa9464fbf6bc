#!/usr/bin/env bash
# Train on several GPUs (or CPU processes):   tools/dist_train.sh CONFIG NUM_PROCESSES [options of tools/train.py]
# Several machines: set NNODES, NODE_RANK and MASTER_ADDR (and PORT) on each.
set -euo pipefail
exec "$(dirname "$0")/launch.sh" "$2" "$(dirname "$0")/train.py" "$1" "${@:3}"
