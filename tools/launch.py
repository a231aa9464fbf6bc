"""torchrun that ends quietly: python tools/launch.py [options of torchrun] SCRIPT [arguments]

What ended a run is told in a few lines, instead of two tracebacks of torchrun. A run that was asked to stop, and whose
processes have saved their state, ends with exit status 75, as one of a single process does. SIGUSR1, by which Slurm
warns, is handed on.
"""

import signal
import sys
from types import FrameType

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun

STOPPED = 75
"""``mmuda.engine.stopping.EXIT_CODE``; importing mmuda takes seconds."""


def hand_on(number: int, frame: FrameType | None) -> None:
    """Let torchrun end its processes with a signal, as it does with SIGTERM."""
    raise SignalException(f'got signal {number}', signal.Signals(number))


def main() -> int:
    signal.signal(signal.SIGUSR1, hand_on)
    try:
        torchrun()
    except SignalException as stop:
        print(f'{signal.Signals(stop.sigval).name}: all processes have ended', file=sys.stderr)
        return STOPPED
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        if STOPPED in codes.values():
            return STOPPED
        told = ', '.join(
            f'process {rank} was killed by {signal.Signals(-code).name}' if code < 0 else f'process {rank}: exit {code}'
            for rank, code in sorted(codes.items())
        )
        print(f'the run ended early ({told}): the first error is above', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
