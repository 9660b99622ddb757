"""Whether another process is dying."""

import os
import subprocess
import sys
import threading

from farm.processes import is_exiting

#: Its name holds what the line about a process is parsed by.
SLEEPER = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'a) b (\\xff'); print(flush=True); "


def test_a_running_process_does_not_end_and_a_zombie_and_a_gone_one_do() -> None:
    command = [sys.executable, "-c", SLEEPER + "time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert not is_exiting(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_exiting(process.pid), "a zombie"
    assert is_exiting(process.pid), "gone"


def test_whoever_sees_its_files_closed_is_told_that_it_ends() -> None:
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


def test_what_cannot_be_looked_at_does_not_end() -> None:
    """In a process of its own, whose files are nobody else's."""
    script = (
        "import os, resource; from farm.processes import is_exiting; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0)); print(is_exiting(os.getpid()))"
    )
    assert subprocess.check_output([sys.executable, "-c", script]) == b"False\n"
