"""How gunicorn runs the farm: the file that `farm serve` names in `gunicorn -c`.

Everything follows from the farm's own settings (docs/settings.md). gunicorn's main process executes
this file at its start and at each SIGHUP. So it is named by its path: a module (`-c python:…`) is
imported once, and a reload would read no setting.
"""

import math
import shlex
import sys
from typing import Any

import structlog

from farm.metrics import folder

folder.share()  # before anything that counts is imported

from farm import logs, wsgi  # noqa: E402
from farm.errors import StartError  # noqa: E402
from farm.jobs import broker  # noqa: E402
from farm.machine import allow_open_files, host_and_port  # noqa: E402
from farm.render.browser.chromium import find_chromium  # noqa: E402
from farm.settings import Settings  # noqa: E402
from farm.web.serving.worker import Worker  # noqa: E402


def _load() -> Settings:
    """The settings, read anew at each reload; at one that fails, those that there were."""
    try:
        new = Settings.from_environment()
        find_chromium(new)
        new.callers  # read here, for all workers to come  # noqa: B018
    except StartError as exc:
        if wsgi.settings is None:
            sys.exit(f"The farm cannot start.\n{exc}")
        structlog.get_logger().error("reload goes on with the old settings", cause=str(exc))
        return wsgi.settings
    return new


settings = wsgi.settings = _load()

wsgi_app = "farm.wsgi:create()"
proc_name = "render-farm"
bind = host_and_port(settings.host, settings.port)
logconfig_dict = logs.configure(settings)
# One line a render is logged by the farm itself.
accesslog = None
# Not needed, and one more way in.
control_socket_disable = True

worker_class = Worker
workers = settings.worker_count
threads = settings.threads
# Connections beyond the threads wait in the worker's main loop; beyond this, the one that has been
# silent longest makes way.
worker_connections = max(1000, 4 * settings.threads)
# Each is an open file, and the browser's pipes, Redis and the jobs' files need some as well.
_other_files = 256
_files = allow_open_files(worker_connections + _other_files)
worker_connections = max(settings.threads, min(worker_connections, _files - _other_files))
# Longer than the 60 s that nginx keeps an idle upstream connection, so that the farm is never
# the one to close it first.
keepalive = 75

# A signed link has its whole request in the address (farm/links.py); gunicorn takes no more.
limit_request_line = 8190

# No client's header changes what the request is (gunicorn would believe those from loopback).
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

# A render in flight is never killed by a timeout shorter than its deadline. In a gthread worker
# `timeout` is about the main loop only, which a request does not hold.
timeout = math.ceil(settings.render_deadline_s) + 30
graceful_timeout = settings.stop_grace_s

max_requests = settings.max_requests
max_requests_jitter = settings.max_requests // 10


def on_starting(server: Any) -> None:
    # Not where the settings are read: that is done again at a reload, when a Redis that is away
    # must not stop the farm.
    try:
        broker.check(settings)
    except StartError as exc:
        sys.exit(f"The farm cannot start.\n{exc}")


def pre_exec(server: Any) -> None:
    # At an upgrade (USR2) the new gunicorn makes a folder of its own: this one goes with the old.
    server.cfg.env_orig.pop(folder.VARIABLE, None)


def post_worker_init(worker: Worker) -> None:
    assert wsgi.gate is not None  # the application is loaded before
    worker.prepare(settings, wsgi.gate.wants_body)
    wsgi.wait_started(first=worker.age <= workers)
    if worker.age == 1:
        _welcome()


def worker_exit(server: Any, worker: Worker) -> None:
    wsgi.close()


def _welcome() -> None:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host
    base = f"http://{host_and_port(host, settings.port)}"
    body = '{"html": "<h1>Hello from the farm</h1>"}'
    headers = ["-H", "Content-Type: application/json", "-H", "Accept: image/png"]
    curl = shlex.join(["curl", "-fsS", f"{base}/render", *headers, "-d", body, "-o", "hello.png"])
    print(f"\nThe farm is up at {base}. Try:\n\n  {curl}\n", file=sys.stderr, flush=True)
