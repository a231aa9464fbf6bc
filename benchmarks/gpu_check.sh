#!/usr/bin/env bash
# Run gpu_check.py on a machine without internet.
#
#   benchmarks/gpu_check.sh pack DIR [PYTHON_VERSION] [NAME ...]   with internet: wheels for Linux on x86-64, here for 3.12
#   benchmarks/gpu_check.sh run DIR [OPTIONS of gpu_check.py]      there, in a copy of this checkout with DIR
#
# `pack` takes all packages that are needed, or only the named ones, in the versions of requirements/tested.txt. PyTorch is
# not among them, because a machine with a GPU has a build for its driver. `run` installs the packages that the machine
# lacks into a temporary folder.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
task=${1:?pack or run}
wheels=${2:?a folder for the wheels}
shift 2
needed="onedl-mmengine onedl-mmcv onedl-mmsegmentation numpy scipy opencv-python pillow packaging terminaltables rich jinja2
pyyaml matplotlib pytest hypothesis safetensors yapf addict termcolor prettytable markdown-it-py mdurl pygments markupsafe
contourpy cycler fonttools kiwisolver pyparsing python-dateutil six wcwidth iniconfig pluggy sortedcontainers platformdirs
regex ftfy"

if [ "$task" = pack ]; then
    version=${1:-3.12}
    shift || true
    platforms=(--platform=any --platform=manylinux2014_x86_64)
    for glibc in 5 17 24 26 27 28; do platforms+=("--platform=manylinux_2_${glibc}_x86_64"); done
    for name in ${*:-$needed}; do
        options=(-q --no-deps --constraint "$root/requirements/tested.txt" "$name")
        # A package without a wheel is built here, so it must not have compiled parts.
        python3 -m pip download --only-binary=:all: --implementation cp --python-version "$version" \
            "${platforms[@]}" -d "$wheels" "${options[@]}" 2>/dev/null || python3 -m pip wheel -w "$wheels" "${options[@]}"
    done
    exit
fi

site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
missing=$(python3 - $needed <<'PYTHON'
import importlib.metadata, sys

for name in sys.argv[1:]:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        print(name)
PYTHON
)
if [ -n "$missing" ]; then
    python3 -m pip install -q --no-index --no-deps --no-compile --find-links "$wheels" --target "$site" $missing
fi
PYTHONPATH="$root:$site${PYTHONPATH:+:$PYTHONPATH}" python3 "$root/benchmarks/gpu_check.py" "$@"
