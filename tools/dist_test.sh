#!/usr/bin/env bash
# Test on several GPUs (or CPU processes):   tools/dist_test.sh CONFIG CHECKPOINT NUM_PROCESSES [options of tools/test.py]
set -euo pipefail
exec "$(dirname "$0")/launch.sh" "$3" "$(dirname "$0")/test.py" "$1" "$2" "${@:4}"
