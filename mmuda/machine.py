"""The kind of machine that results come from."""

import platform
import subprocess
from pathlib import Path

import torch

CPU_INFO = Path('/proc/cpuinfo')
QUERY = ['nvidia-smi', '--query-gpu=name', '--format=csv,noheader']


def processor_name() -> str:
    """Return the name of the processor and the instructions that PyTorch uses on it, such as ``AMD EPYC, AVX512``.

    Both decide the last digits of sums. So a training with the same seed can end elsewhere on another processor.
    """
    lines = CPU_INFO.read_text(encoding='utf-8').splitlines() if CPU_INFO.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    name = next(iter(names), '') or platform.processor() or platform.machine()
    return f'{name}, {torch.backends.cpu.get_cpu_capability()}'


def machine_name() -> str:
    """Return the name of the first GPU if there is one that PyTorch can use, else that of the processor."""
    if torch.cuda.is_available():
        try:  # a separate process, because a question to PyTorch would occupy memory on the GPU
            found = subprocess.run(QUERY, capture_output=True, text=True, check=True).stdout.splitlines()
        except (OSError, subprocess.CalledProcessError):
            return 'GPU'
        return found[0].strip() if found else 'GPU'
    return processor_name()
