"""Checks one by one what the farm needs of the machine.

It is a composition root. `farm doctor` calls it, in the main thread.
"""

import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

import farm
from farm.cache import check as cache_check
from farm.errors import FarmError, StartError
from farm.jobs import broker
from farm.jobs.files import open_storage
from farm.logs import first_line
from farm.processes import has_argument
from farm.render import Engine
from farm.render.browser.chromium import Chromium, find_chromium
from farm.request import HTML, RenderRequest
from farm.settings import Settings
from farm.storage import NotStored

#: The name of a test file in the storage.
_PROBE = "doctor"
_FONTS = {
    "Latin": ("en", "fonts-liberation"),
    "Devanagari": ("hi", "fonts-noto-core"),
    "Arabic": ("ar", "fonts-noto-core"),
    "Chinese": ("zh-cn", "fonts-noto-cjk"),
    "Japanese": ("ja", "fonts-noto-cjk"),
    "emoji": ("und-zsye", "fonts-noto-color-emoji"),
}


@dataclass(frozen=True)
class Check:
    """One check: its subject, the finding, whether that is good, and the remedy if not."""

    subject: str
    good: bool
    finding: str
    remedy: str = ""
    #: The farm runs although this check fails.
    optional: bool = False


def examine() -> Iterator[Check]:
    """Every check, in the order in which a start of the farm depends on them."""
    yield _versions()
    yield from _fonts()
    try:
        settings = Settings.from_environment()
    except StartError as exc:
        yield Check("settings", False, "some are wrong", str(exc).replace("\n", "\n     "))
        return
    yield Check("settings", True, "all are valid")
    yield from _jobs(settings)
    yield _cache(settings)
    try:
        chromium = find_chromium(settings)
    except StartError as exc:
        yield Check("Chromium", False, "none is usable", str(exc))
        return
    yield _chromium(chromium)
    yield from _render(settings)


def _versions() -> Check:
    names = ("playwright", "falcon", "gunicorn", "rq", "redis")
    parts = [f"Render Farm {farm.__version__}", f"Python {platform.python_version()}"]
    return Check("versions", True, ", ".join(parts + [f"{name} {version(name)}" for name in names]))


def _fonts() -> Iterator[Check]:
    if shutil.which("fc-list") is None:
        yield Check("fonts", False, "fc-list is not installed", "Install fontconfig.", True)
        return
    missing: dict[str, str] = {}
    for script, (language, package) in _FONTS.items():
        command = ["fc-list", f":lang={language}", "family"]
        if not subprocess.run(command, capture_output=True, check=False).stdout.strip():
            missing[script] = package
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        finding = f"none for {', '.join(missing)}: such text comes out as boxes"
        yield Check("fonts", False, finding, f"On Debian: apt-get install {packages}", True)
    else:
        yield Check("fonts", True, f"there are some for {', '.join(_FONTS)}")


def _chromium(chromium: Chromium) -> Check:
    user = f", run as {chromium.user}" if chromium.user else ""
    if "headless" in Path(chromium.path).name:
        return Check("Chromium", True, chromium.path + user)
    finding = f"{chromium.path}{user}: a full browser, about three times slower"
    return Check("Chromium", False, finding, "Install a headless shell beside it.", True)


def _jobs(settings: Settings) -> Iterator[Check]:
    """Check the queue's Redis and the storage. Writes, reads and removes a file."""
    if settings.embedded:
        yield Check("queue", True, "an embedded Valkey, which `farm serve` starts")
    else:
        try:
            broker.check(settings, wait_s=0)
            yield Check("queue", True, "the Redis of FARM_REDIS_URL is there, and does not evict")
        except StartError as exc:
            yield Check("queue", False, "it does not work", str(exc))
            return
    if settings.storage_url is None:
        yield Check("storage", True, f"a directory: {settings.files_url}")
        return
    try:
        storage = open_storage(settings)
        storage.put(_PROBE, b"ok")
        storage.read(_PROBE)
        storage.delete([_PROBE])
        yield Check("storage", True, "a file was written, read and removed")
    except StartError as exc:
        yield Check("storage", False, "it does not work", str(exc))
    except (FarmError, NotStored) as exc:
        yield Check("storage", False, "it does not work", first_line(exc.__cause__ or exc))


def _cache(settings: Settings) -> Check:
    if settings.has_embedded_cache:
        return Check(
            "cache", True, "an embedded Valkey, which `farm serve` starts when it is asked"
        )
    if settings.cache_url is None:
        remedy = "Set FARM_CACHE_URL for requests with `cache` to be answered from it."
        return Check("cache", True, "there is none", remedy, True)
    try:
        cache_check.check(settings.cache_url)
    except StartError as exc:
        return Check("cache", False, "it does not work; pages are rendered without", str(exc), True)
    return Check("cache", True, "the Redis of FARM_CACHE_URL is there, and evicts")


def _render(settings: Settings) -> Iterator[Check]:
    """Start a real engine, render a page, and check the sandbox of its page processes."""
    engine = Engine(settings.model_copy(update={"spare_contexts": 1}))
    engine.start()
    try:
        engine.wait_started()
        request = RenderRequest.parse(b'{"html": "<h1>ok</h1>"}', HTML, engine.limits)
        result = engine.render(request)
        yield _sandbox(engine, settings)
        total_ms = result.timings.loading_ms + result.timings.capturing_ms
        yield Check("render", True, f"a PNG of {result.size} bytes in {total_ms:.0f} ms")
    except (StartError, FarmError) as exc:
        yield Check("render", False, "it does not work", str(exc))
    finally:
        engine.close()


def _sandbox(engine: Engine, settings: Settings) -> Check:
    if settings.chromium_sandbox == "off":
        remedy = "Unset FARM_CHROMIUM_SANDBOX unless every page is your own."
        return Check("sandbox", False, "switched off by a setting", remedy, True)
    modes = set()
    for process in psutil.Process(engine.chromium_pid).children(recursive=True):
        # A process may end during the check. It is skipped then.
        with suppress(OSError):
            if has_argument(process, "--type=renderer"):
                modes.add(_seccomp_mode(process.pid))
    if modes == {"2"}:
        return Check("sandbox", True, "every page process is under seccomp")
    return Check("sandbox", False, f"page processes have seccomp mode {modes or 'unknown'}")


def _seccomp_mode(pid: int) -> str:
    """The process's seccomp mode; 2 is a filter. See proc_pid_status(5)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(line.split()[1] for line in status.splitlines() if line.startswith("Seccomp:"))
