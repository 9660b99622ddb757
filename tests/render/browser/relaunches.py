"""Browsers launched one after another: `python -m tests.render.browser.relaunches 200`.

Each dies another way; the descriptors of this process must be as many after all of them.
"""

import itertools
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from farm.render.browser.chromium import find_chromium
from farm.render.browser.thread import BrowserThread
from farm.settings import Settings
from tests.support.farm_process import driver_of, wait_until


def descriptors() -> list[str]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that lists them
            found.append(f"{entry.name} {entry.readlink()}")
    return found


def launch_and_end(way: str) -> None:
    thread = BrowserThread(find_chromium(Settings()), lambda _: None, lambda: None)
    thread.start()
    assert thread.wait_started(30)
    chromium = psutil.Process(thread.pid)
    driver = driver_of(chromium)
    if way == "driver":
        driver.kill()
    elif way == "chromium":
        chromium.kill()
    else:
        thread.stop()
    wait_until(lambda: thread.down.is_set())
    thread._thread.join(20)
    assert not thread._thread.is_alive()


def descriptors_left(launches: int) -> list[str]:
    """Those that were not there after the first launch, which opens some for good."""
    ways = itertools.cycle(["stopped", "chromium", "driver"])
    launch_and_end(next(ways))
    before = descriptors()
    for _, way in zip(range(launches), ways, strict=False):
        launch_and_end(way)
    after = descriptors()
    return sorted(set(after) - set(before)) if len(after) > len(before) else []


if __name__ == "__main__":
    left = descriptors_left(int(sys.argv[1]))
    print("\n".join(left) or "no descriptor is left")
    sys.exit(bool(left))
