"""Questions about other processes, any of which may have ended.

The egress proxy, the browser and the doctor use it, from any thread.
"""

from contextlib import suppress
from pathlib import Path

import psutil

#: A flag of proc_pid_stat(5), from the kernel's include/linux/sched.h.
_PF_EXITING = 0x4


def is_exiting(pid: int) -> bool:
    """Whether the process has ended or is about to.

    The kernel sets the flag before it closes the process's files. So a caller that has seen a
    connection to the process break always gets True here. Waiting for the process, or seeing
    another of its connections break, may take longer.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:  # unknown: this process has no file descriptor left, say
        return False
    # The name is in brackets and may hold any bytes; the flags are the seventh field after it.
    return bool(int(stat.rpartition(b")")[2].split()[6]) & _PF_EXITING)


def has_argument(process: psutil.Process, argument: str) -> bool:
    """Whether its command line has the argument. False for a process that has ended."""
    with suppress(psutil.Error):
        return argument in process.cmdline()
    return False
