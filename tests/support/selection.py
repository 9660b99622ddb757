"""Which tests run, in what order, and which of pytest-xdist's processes runs which.

A test is `dedicated` if it has a farm or a browser of its own, to break it or to set it up in a way
of its own, or if it takes long. `make test` leaves these out, except those that are marked as the
`short_form` of the others. `make test-dedicated` runs them. A test with many cases of one kind has
the mark `one_in(n)`: every n-th case is the short form, and the others are dedicated. `--fast` runs
only the tests that start nothing at all.

`tests/conftest.py` imports the hooks. A test that uses a fixture of `_DEDICATED` needs no mark.
A test that starts a farm in another way has to be marked.
"""

import asyncio
import os
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest
from playwright import sync_api

from farm.render.browser.thread import BrowserThread

#: These start a server or a browser. Tests that start one by themselves are found as they run.
_STARTING = frozenset(
    {"engine", "kept_engine", "trusting_engine", "make_engine", "farm", "valkey", "browser"}
)
#: A farm or a browser for one test alone.
_DEDICATED = frozenset({"make_engine", "log_path"})
#: Nearly all tests of these folders and files start something or compute for long: `--fast` does
#: not import them.
SLOW_FOLDERS = frozenset(
    {"chaos", "comparing", "field", "instances", "jobs", "kubernetes", "mcp", "whole"}
)
SLOW_FILES = {
    "": "cli downloading processes release signals supervisor wheel",
    "cache": "connection renderer",
    "client": "transport types",
    "commands": "diff many plan",
    "egress": "allowed answers_in_chromium boundary egress floods peers process",
    "plan": "cores plan simulation sizing",
    "render": "engine",
    "render/browser": "devtools kept memory pipe",
    "render/page": "actions banners commands deterministic documents emulation facts failing "
    "filters interception manners mocking network pdf pictures pixels regions render report "
    "waiting",
    "web": "app cache callers downloads job_resources links outputs routes schema sources",
    "web/compat": "browserless cloudflare gotenberg",
    "web/serving": "steps worker",
}
TESTS = Path(__file__).parents[1]
#: Audit events of a process that begins.
_STARTS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"})
#: What takes longest begins first. Whatever is not here follows in the order of its files.
_LONGEST = (
    "chaos/test_chaos",
    "farm",
    "whole/test_playground",
    "web/test_schema",
    "whole/test_nginx",
    "render/test_engine",
    "page/test_pixels",
    "keeping/test_drawing",
    "whole/test_farm",
    "whole/test_cache",
    "whole/test_stopping",
    "egress/test_boundary",
    "jobs/test_worker",
    "egress/test_answers_in_chromium",
    "whole/test_faults",
    "metrics/test_metrics",
    "egress/test_egress",
    "field/test_field",
)


def is_fast(config: pytest.Config) -> bool:
    return bool(config.getoption("fast"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`--fast` passes over what takes long, or starts something in nearly all of its tests."""
    return True if is_fast(config) and _is_slow(collection_path.relative_to(TESTS)) else None


def _is_slow(path: Path) -> bool:
    """Whether a folder or a file below `tests/` has next to no fast test."""
    if path.as_posix() in SLOW_FOLDERS:
        return True
    files = SLOW_FILES.get(path.parent.as_posix().removeprefix("."), "")
    return path.stem.removeprefix("test_") in files.split() and path.suffix == ".py"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        is_short_form = item.get_closest_marker("short_form")
        if not is_short_form and not _DEDICATED.isdisjoint(_fixtures(item)):
            item.add_marker(pytest.mark.dedicated)
    _leave_cases_to_dedicated(items)
    if is_fast(config):
        slow = [item for item in items if _starts_something(item)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not _starts_something(item)]
    # A group is run by one process, in turn.
    groups = {item: _group(item) for item in items}
    places = {group: place for place, group in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(groups[item], len(places)))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(groups[item]))


def _leave_cases_to_dedicated(items: list[pytest.Item]) -> None:
    cases: Counter[str] = Counter()
    for item in items:
        if (mark := item.get_closest_marker("one_in")) is None:
            continue
        test = item.nodeid.partition("[")[0]
        if cases[test] % mark.args[0]:
            item.add_marker(pytest.mark.dedicated)
        cases[test] += 1


def _group(item: pytest.Item) -> str:
    """Its file; but one group for all tests of the farm that the whole session shares."""
    fixtures = getattr(item, "_fixtureinfo", None)
    farms = fixtures.name2fixturedefs.get("farm", ()) if fixtures else ()
    if farms and farms[-1].scope == "session":
        return "farm"
    return f"{item.path.parent.name}/{item.path.stem}"


def _starts_something(item: pytest.Item) -> bool:
    return bool(item.get_closest_marker("dedicated")) or not _STARTING.isdisjoint(_fixtures(item))


def _fixtures(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())


def pytest_configure(config: pytest.Config) -> None:
    """`--fast` skips a test at the moment when it starts a browser or another process.

    A coroutine may start a process (the egress proxy's small resolver): what is raised in an event
    loop reaches a task, and not the test.
    """
    if not is_fast(config):
        return

    def refuse(event: str, _: object) -> None:
        if event not in _STARTS or "PYTEST_CURRENT_TEST" not in os.environ:
            return
        if threading.current_thread() is threading.main_thread() and not _is_in_event_loop():
            pytest.skip(f"it starts a process ({event})")

    def refuse_browser(*_: object, **__: object) -> NoReturn:
        pytest.skip("it starts a browser")

    sys.addaudithook(refuse)
    # Both start it in a thread or an event loop of their own.
    BrowserThread.start = refuse_browser  # type: ignore[method-assign]
    sync_api.sync_playwright = refuse_browser


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
