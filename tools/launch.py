"""torchrun with short messages at the end of a run: python tools/launch.py [options of torchrun] SCRIPT [arguments]

A few lines show why a run ended, instead of two tracebacks of torchrun. If the run was stopped by a signal and its
processes have saved their state, the exit status is 75, as for a run of a single process. SIGUSR1, with which Slurm
warns, is passed to the processes.
"""

import signal
import sys
from types import FrameType

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun

STOPPED = 75
"""Copy of ``mmuda.engine.stopping.EXIT_CODE``, because importing mmuda takes seconds."""


def hand_on(number: int, frame: FrameType | None) -> None:
    """Raise SignalException, so that torchrun passes a signal to its processes, as it does with SIGTERM."""
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
