"""The processes of a browser that is up.

The browser's thread makes a `RunningBrowser` in a greenlet, and reads it until the browser ends.
"""

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
import structlog

from farm.processes import has_argument
from farm.render.browser.devtools import Session, attach_to_browser
from farm.render.browser.pipe import Switch

log = structlog.get_logger()

#: Chromium has a lower priority than the farm's own processes, so that refusals and health checks
#: stay quick while pages fill the machine. A page's process inherits it from its zygote.
_NICE = 5
#: The time in which the network service must start; after it, the browser goes on unwatched.
_NETWORK_START_S = 5.0


@dataclass(frozen=True)
class RunningBrowser:
    """A browser that is up: its processes, and the farm's session with it."""

    control: Session
    process: psutil.Process
    driver: psutil.Process
    #: Pids whose loss Chromium cannot repair: zygotes (no new pages without them) and the network
    #: service (its death is reported to no page).
    vital: tuple[int, ...]
    profile: str

    def clean_up(self) -> None:
        """Kill Chromium and delete its profile.

        The driver does so too, unless it has died.
        """
        kill_process(self.process)
        # Chromium writes there until it has ended. Its number may belong to a thread by now, for
        # which psutil raises the `OSError` of `pidfd_open`.
        with suppress(psutil.Error, OSError):
            self.process.wait(1)
        shutil.rmtree(self.profile, ignore_errors=True)


def attach(switch: Switch) -> RunningBrowser:
    """Attach to the browser and find its processes. In a greenlet of the browser's thread.

    Raises `DevToolsError` or `psutil.Error`.
    """
    control = attach_to_browser(switch)
    process = psutil.Process(switch.pid)
    # Only Chromium's own children: a child of a zygote may still look like a zygote after its fork.
    zygotes = [
        child.pid for child in child_processes(process) if has_argument(child, "--type=zygote")
    ]
    network = _wait_for_network(control)
    for each in [process, *child_processes(process, recursive=True)]:
        with suppress(psutil.Error):
            each.nice(_NICE)
    profile = next((arg for arg in process.cmdline() if arg.startswith("--user-data-dir=")), "")
    return RunningBrowser(
        control=control,
        process=process,
        driver=process.parent() or process,
        vital=(*zygotes, *network),
        profile=profile.partition("=")[2],
    )


def _pids(control: Session, type_: str) -> list[int]:
    """The browser's processes of a type, as the browser itself reports them."""
    processes: list[dict[str, Any]] = control.send("SystemInfo.getProcessInfo")["processInfo"]
    return [process["id"] for process in processes if process["type"] == type_]


def _wait_for_network(control: Session) -> list[int]:
    """The process of the network service, which starts by itself, but not at once."""
    end = time.monotonic() + _NETWORK_START_S
    while not (pids := _pids(control, "network.mojom.NetworkService")):
        if time.monotonic() > end:
            log.warning("browser has no network service to watch")
            break
        control.sleep(0.01)
    return pids


def child_processes(process: psutil.Process, recursive: bool = False) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return process.children(recursive=recursive)
    return []


def kill_process(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.kill()
