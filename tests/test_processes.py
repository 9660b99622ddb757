"""Whether another process is dying."""

import os
import subprocess
import sys
import threading

from farm.processes import is_exiting

#: Its name holds what the line about a process is parsed by.
SLEEPER = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'a) b (\\xff'); print(flush=True); "


def test_zombies_and_ended_processes_are_exiting_and_running_ones_are_not() -> None:
    command = [sys.executable, "-c", SLEEPER + "time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert not is_exiting(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_exiting(process.pid), "a zombie"
    assert is_exiting(process.pid), "gone"


def test_a_process_whose_files_are_closed_is_exiting() -> None:
    """However many of its threads die before and after."""
    threads = "[threading.Thread(target=time.sleep, args=(60,)).start() for _ in range(50)]"
    for _ in range(20):
        command = [sys.executable, "-c", f"import threading, time; {threads}; print(flush=True)"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            assert not is_exiting(process.pid)
            threading.Timer(0.01, process.kill).start()
            assert process.stdout.read() == b""
            assert is_exiting(process.pid)


def test_a_process_that_cannot_be_examined_is_not_exiting() -> None:
    """In a process of its own, whose files are nobody else's."""
    script = (
        "import os, resource; from farm.processes import is_exiting; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0)); print(is_exiting(os.getpid()))"
    )
    assert subprocess.check_output([sys.executable, "-c", script]) == b"False\n"
