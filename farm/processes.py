"""What is asked of other processes, which may be gone by then."""

from contextlib import suppress
from pathlib import Path

import psutil

#: Of the flags in proc_pid_stat(5), from the kernel's include/linux/sched.h.
_PF_EXITING = 0x4


def ends(pid: int) -> bool:
    """Whether the process is gone or about to be.

    The kernel sets the flag before it closes the process's files: whoever has seen a connection to
    it break off finds it here, while a wait for it, or the end of another connection, may come
    later.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:  # this process may open no more files, say: nothing is known
        return False
    # The name, in brackets, may hold any bytes; the flags are the seventh field after it.
    return bool(int(stat.rpartition(b")")[2].split()[6]) & _PF_EXITING)


def has_argument(process: psutil.Process, argument: str) -> bool:
    """Whether its command line has the argument; a process that is gone has none."""
    with suppress(psutil.Error):
        return argument in process.cmdline()
    return False
