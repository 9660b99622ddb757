"""Signals reach the main thread, whichever thread the kernel gives them to."""

import os
import signal
import subprocess
import sys

import pytest

_WAITS = """
import signal, threading
from farm.signals import Signals
for _ in range(8):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
signals = Signals(signal.SIGTERM, signal.SIGINT)
print('waits', flush=True)
print(sorted((signals.next(), signals.next())), signals.next(0), flush=True)
"""


@pytest.mark.parametrize("_", range(5))
def test_two_signals_at_once_both_wake_the_waiting_thread(_: int) -> None:
    command = [sys.executable, "-c", _WAITS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "waits\n"
        os.kill(waiting.pid, signal.SIGTERM)
        os.kill(waiting.pid, signal.SIGINT)
        assert waiting.stdout.readline() == f"[{signal.SIGINT:d}, {signal.SIGTERM:d}] 0\n"
