"""What is done to the farm: a process is killed or stopped, the disk is full."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from tests.chaos.census import kind_of
from tests.chaos.ledger import Ledger
from tests.support.disk import fill
from tests.support.farm_process import Farm

#: For how long those are stopped that nobody replaces, and the disk is full.
_STOPPED_S = 4.0

KILLED = ("browser", "page", "helper", "driver", "proxy", "gunicorn", "valkey", "job worker")
STOPPED = ("browser", "page", "driver", "proxy", "gunicorn", "valkey", "job worker")
FULL_DISK = "full disk"
#: Every fault by its name.
FAULTS = (*(f"kill {kind}" for kind in KILLED), *(f"stop {kind}" for kind in STOPPED), FULL_DISK)


class Faults:
    """`storage`: the directory of the jobs' files, on a small file system of its own."""

    def __init__(self, farm: Farm, ledger: Ledger, chance: random.Random, storage: Path) -> None:
        self._farm = farm
        self._ledger = ledger
        self._chance = chance
        self._storage = storage
        self._undone: list[threading.Timer] = []
        self._stopped: list[psutil.Process] = []

    def do(self, name: str) -> None:
        """One fault, by its name; nothing happens if there is no such process just now."""
        what, _, kind = name.partition(" ")
        if name == FULL_DISK:
            self._fill_disk()
        elif (victim := self._victim(kind)) is None:
            return
        else:
            with suppress(psutil.Error):
                (self._kill if what == "kill" else self._stop)(victim, kind)
        self._ledger.faults[name] += 1

    def undo(self) -> None:
        """Wait until what was stopped goes on, and the disk has room.

        What nobody has replaced goes on too, and ends: its parent was killed meanwhile.
        """
        for timer in self._undone:
            timer.join()
        for victim in self._stopped:
            with suppress(psutil.Error):
                victim.resume()

    def _victim(self, kind: str) -> psutil.Process | None:
        tree = [process for process in self._farm.tree() if kind_of(process) == kind]
        if kind == "gunicorn":  # its workers; the master is the farm's
            master = self._farm.gunicorn().pid
            tree = [process for process in tree if process.pid != master]
        return self._chance.choice(tree) if tree else None

    def _kill(self, victim: psutil.Process, kind: str) -> None:
        victim.suspend()
        self._note_connections(victim, kind)
        victim.kill()

    def _stop(self, victim: psutil.Process, kind: str) -> None:
        victim.suspend()
        self._note_connections(victim, kind)
        if kind in ("gunicorn", "valkey", "job worker"):
            self._later(victim.resume)
        else:
            self._stopped.append(victim)

    def _note_connections(self, victim: psutil.Process, kind: str) -> None:
        if kind == "gunicorn":
            ends = [end for end in victim.net_connections() if end.raddr]
            ours = {end.raddr.port for end in ends if end.laddr.port == self._farm.port}
            self._ledger.in_flight |= ours

    def _fill_disk(self) -> None:
        filler = fill(self._storage)
        self._later(filler.unlink)

    def _later(self, undo: Callable[[], None]) -> None:
        def quietly() -> None:
            with suppress(psutil.Error):
                undo()

        timer = threading.Timer(_STOPPED_S, quietly)
        timer.start()
        self._undone.append(timer)
