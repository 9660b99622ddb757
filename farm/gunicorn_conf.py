"""gunicorn's configuration, which `farm serve` passes as `gunicorn -c`.

Every value follows from the farm's own settings (docs/settings.md). gunicorn's main process
executes this file at its start and at each SIGHUP. `farm serve` passes the path of the file, not
the module's name: gunicorn would import a module (`-c python:…`) only once, and a reload would not
read the settings again.
"""

import math
import shlex
import sys
from typing import Any

import structlog

from farm.metrics import folder

folder.share()  # before prometheus_client is imported

from farm import logs, wsgi  # noqa: E402
from farm.errors import StartError  # noqa: E402
from farm.jobs import broker  # noqa: E402
from farm.machine import allow_open_files, host_and_port  # noqa: E402
from farm.render.browser.chromium import find_chromium  # noqa: E402
from farm.settings import Settings  # noqa: E402
from farm.web.serving.worker import Worker  # noqa: E402


def _load() -> Settings:
    """Read the settings. If a reload finds invalid settings, the old ones stay in effect."""
    try:
        new = Settings.from_environment()
        find_chromium(new)
        new.callers  # reads the file of keys once, for all workers  # noqa: B018
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
# The farm itself logs a line for each render.
accesslog = None
# The farm does not need it, and it could be attacked.
control_socket_disable = True

worker_class = Worker
workers = settings.worker_count
threads = settings.threads
# Connections without a thread wait in the worker's main loop. At this number, the connection that
# has been silent longest is closed.
worker_connections = max(1000, 4 * settings.threads)
# Each connection is an open file. The browser's pipes, Redis and the jobs' files need open files
# too.
_other_files = 256
_files = allow_open_files(worker_connections + _other_files)
worker_connections = max(settings.threads, min(worker_connections, _files - _other_files))
# Longer than the 60 s for which nginx keeps an idle upstream connection. So nginx closes it, and
# never the farm.
keepalive = 75

# gunicorn's maximum, since the URL of a signed link contains a whole request (farm/links.py).
limit_request_line = 8190

# No header of a client changes the request's scheme. By default, gunicorn trusts such headers from
# loopback.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

# Longer than the deadline of a render. In a threaded worker, `timeout` is only about the main loop,
# which no request blocks.
timeout = math.ceil(settings.render_deadline_s) + 30
graceful_timeout = settings.stop_grace_s

max_requests = settings.max_requests
max_requests_jitter = settings.max_requests // 10


def on_starting(server: Any) -> None:
    # Checked here and not in `_load`, which also runs at a reload: an unavailable Redis must not
    # stop a running farm.
    try:
        broker.check(settings)
    except StartError as exc:
        sys.exit(f"The farm cannot start.\n{exc}")


def pre_exec(server: Any) -> None:
    # At an upgrade (USR2) the new gunicorn must make a folder of its own, since the old gunicorn
    # removes this one.
    server.cfg.env_orig.pop(folder.VARIABLE, None)


def post_worker_init(worker: Worker) -> None:
    assert wsgi.gate is not None  # gunicorn has loaded the application before
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
