"""The farm's processes, by what they are, and what they hold."""

import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from farm.render.browser.memory import proportional_bytes
from tests.support.farm_process import Farm, command_line


def kind_of(process: psutil.Process) -> str:
    """`browser`, `page`, `helper` (GPU, network, zygote), `driver`, `proxy`, `worker`, …"""
    line = command_line(process)
    if not line:
        return "gone"
    kinds = [arg.partition("=")[2] for arg in line if arg.startswith("--type=")]
    if kinds:
        return "page" if kinds[0] == "renderer" else "helper"
    if any(arg.startswith("--user-data-dir=") for arg in line):
        return "browser"
    if "run-driver" in line:
        return "driver"
    if "farm.egress" in line:
        parent = process.parent()
        looks_names_up = parent is not None and command_line(parent) == line
        return "resolver" if looks_names_up else "proxy"
    if Path(line[0]).name == "valkey-server":
        return "valkey"
    if "gunicorn" in line:
        return "gunicorn"
    return "job worker" if line[-1] == "worker" else "other"


@dataclass(frozen=True)
class Census:
    kinds: Counter[str]
    zombies: int
    memory_mib: int
    files: int
    #: Profiles in the temporary folder.
    profiles: int

    @classmethod
    def of(cls, farm: Farm) -> "Census":
        tree = farm.tree()
        zombies = files = 0
        for process in tree:
            with suppress(psutil.Error):
                zombies += process.status() == psutil.STATUS_ZOMBIE
                files += process.num_fds()
        memory = sum(proportional_bytes(process.pid) for process in tree)
        profiles = len(list(Path(tempfile.gettempdir()).glob("playwright_chromiumdev_profile-*")))
        kinds = Counter(kind_of(process) for process in tree)
        return cls(kinds, zombies, memory >> 20, files, profiles)

    def worse_than(self, start: "Census") -> list[str]:
        """In words; pages come and go, so they are not counted."""
        kept = ("browser", "driver", "proxy", "gunicorn", "valkey", "job worker")
        worse = [
            f"{self.kinds[kind]} × {kind} at the end, {start.kinds[kind]} at the start"
            for kind in kept
            if self.kinds[kind] != start.kinds[kind]
        ]
        return worse + ([f"{self.zombies} zombies"] if self.zombies else [])

    def __str__(self) -> str:
        processes = sum(self.kinds.values())
        return (
            f"{processes} processes, {self.memory_mib} MiB, {self.files} files, "
            f"{self.profiles} profiles, {self.zombies} zombies"
        )
