"""`farm dashboard`: rq-dashboard on the farm's queue, in a process of its own.

The farm's jobs are JSON, and operators open the dashboard in a browser beside other sites. This
module adapts rq-dashboard to both. Flask and rq-dashboard are an optional extra, so the functions
that use them import them.
"""

import contextlib
import errno
import hmac
import signal
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import redis
import structlog
from rq.exceptions import NoSuchJobError
from rq.serializers import JSONSerializer

from farm.errors import AlreadyFinished, NotFound, QueueUnavailable, StartError
from farm.jobs import broker
from farm.jobs.record import Records
from farm.jobs.rq_queue import QUEUE_NAME, RqQueue, read_nothing_but_json
from farm.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

log = structlog.get_logger()

USER = "farm"
#: Longer than for a request to the farm: one page of the dashboard reads some hundred values.
_CALL_TIMEOUT_S = 5.0
#: How long a client's thread waits for the client to send its request.
_CLIENT_TIMEOUT_S = 30
#: Templates that insert descriptions and error messages as HTML. `jobs.html` escapes them.
_UNESCAPED = ("job.html", "queues.html", "workers.html")


def run(settings: Settings) -> None:
    """Serve the dashboard until SIGINT or SIGTERM. Must run in the process's main thread.

    Raises `StartError` if it is not installed, its port is taken, or the queue cannot be reached.
    """
    try:
        import rq_dashboard.web  # noqa: F401
        from werkzeug.serving import WSGIRequestHandler, make_server
    except ImportError as exc:
        raise StartError(
            "The dashboard is not installed: pip install 'render-farm[dashboard]'"
        ) from exc

    class RequestHandler(WSGIRequestHandler):
        timeout = _CLIENT_TIMEOUT_S

        def log(self, *_: object) -> None:
            """Log nothing: an open page sends a request every 2.5 seconds."""

    broker.check(settings)
    client = broker.connect(settings.queue_url, _CALL_TIMEOUT_S)
    with contextlib.suppress(KeyboardInterrupt), _listen(settings) as sock:
        # A shell that starts a process in the background makes it ignore SIGINT.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        # werkzeug's server, without its debugger and reloader, is enough for an operator's few
        # pages; gunicorn would fork workers for them. The farm opens the socket itself, since
        # werkzeug exits the process if the port is taken.
        server = make_server(
            settings.dashboard_host,
            settings.dashboard_port,
            create_app(settings, client),
            threaded=True,
            request_handler=RequestHandler,
            fd=sock.fileno(),
        )
        log.info("dashboard up", host=settings.dashboard_host, port=settings.dashboard_port)
        server.serve_forever()


def create_app(settings: Settings, client: redis.Redis) -> "Flask":
    """The WSGI application. It changes RQ in the whole process: see `read_nothing_but_json`."""
    from flask import Flask
    from rq_dashboard import web

    web.config.serializer = JSONSerializer
    # rq-dashboard ignores that setting in half of its code.
    read_nothing_but_json()
    # Flask finds the style sheets and templates by the package's name.
    app = Flask(web.__package__)
    # The text in the page's corner. rq-dashboard would show the URL, and with it a password that
    # contains an @ or is in the query.
    app.config["RQ_DASHBOARD_REDIS_URL"] = (_place(settings),)
    # rq-dashboard would make a new client, without time-outs, for every request.
    web.from_url = lambda *_, **__: (None, client)
    app.redis_conn = client  # type: ignore[attr-defined]
    _escape(app)
    _guard(app, settings)
    _cancel_what_is_deleted(app, settings, client)
    _answer_errors(app)
    app.register_blueprint(web.blueprint)

    @app.url_value_preprocessor
    def open_our_queue(_: str | None, values: dict[str, Any] | None) -> None:
        # The page "Jobs" opens RQ's queue "default" unless a queue is named. The farm has no such
        # queue.
        if values and values.get("queue_name", "") is None:
            values["queue_name"] = QUEUE_NAME

    return app


def _escape(app: "Flask") -> None:
    """Make the templates escape job descriptions and URLs, which may contain scripts."""
    from jinja2 import FunctionLoader

    # jobs.js contains the queue's name from the URL as a string. Flask escapes in .html files only.
    app.jinja_env.autoescape = True
    shipped = app.jinja_env.loader
    assert shipped is not None

    def load(name: str) -> str | None:
        source = shipped.get_source(app.jinja_env, name)[0]
        # Underscore.js: <%= %> is HTML, <%- %> is text.
        return source.replace("<%=", "<%-") if name.endswith(_UNESCAPED) else source

    app.jinja_env.loader = FunctionLoader(load)


def _guard(app: "Flask", settings: Settings) -> None:
    """Require the password, and refuse requests that the browser sends for other sites."""
    from flask import Response, request

    password = settings.dashboard_password
    own_hosts = {"localhost", "127.0.0.1", "::1", settings.dashboard_host}

    @app.before_request
    def guard() -> Response | None:
        if password:
            given = request.authorization
            pair = f"{given.username}:{given.password}" if given else ""
            if not hmac.compare_digest(pair.encode(), f"{USER}:{password}".encode()):
                realm = {"WWW-Authenticate": 'Basic realm="Render Farm", charset="UTF-8"'}
                return Response("A user and a password are needed.\n", 401, realm)
        elif urlsplit(f"//{request.host}").hostname not in own_hosts:
            # Without a password the dashboard listens on loopback only. A site that has its own
            # name resolve to loopback could read the pages (DNS rebinding).
            return Response("The dashboard is not known by this name.\n", 421)
        if request.endpoint == "rq_dashboard.requeue_all" and request.method != "POST":
            # rq-dashboard would requeue on GET, and an <img> of any site can send that.
            return Response("Requeueing is a POST.\n", 405, {"Allow": "POST"})
        if request.method == "POST" and _is_cross_site(
            request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin"), request.host
        ):
            return Response("Other sites may not act here.\n", 403)
        return None

    @app.after_request
    def unframed(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
        return response


def _is_cross_site(fetch_site: str | None, origin: str | None, host: str) -> bool:
    """Decides as Go's `http.CrossOriginProtection`. A client that sends neither header is no
    browser.
    """
    if fetch_site is not None:
        return fetch_site not in ("same-origin", "none")
    return origin is not None and origin.partition("://")[2] != host


def _cancel_what_is_deleted(app: "Flask", settings: Settings, client: redis.Redis) -> None:
    """Cancel each job that is deleted here. Its record would stay `pending` for ever otherwise."""
    from flask import request

    records = Records(client, settings.job_ttl_s)

    @app.before_request
    def cancel() -> None:
        values = request.view_args or {}
        job_ids: list[str] = []
        if request.endpoint == "rq_dashboard.delete_job_view":
            job_ids = [values["job_id"]]
        elif request.endpoint == "rq_dashboard.empty_queue":
            queue = RqQueue(client, settings.job_ttl_s, values["queue_name"])
            job_ids = queue.open_job_ids(values["registry_name"])
        for job_id in job_ids:
            with contextlib.suppress(NotFound, AlreadyFinished):
                records.cancel(job_id)


def _answer_errors(app: "Flask") -> None:
    """Answer common errors with a sentence. A page often stays open after its job has expired."""

    def gone(_: Exception) -> "tuple[str, int]":
        return "There is no such job; it may have been deleted or its time may be over.\n", 404

    def unreachable(exc: Exception) -> "tuple[str, int]":
        log.warning("queue unavailable", error=type(exc).__name__)
        return "The job queue cannot be reached; try again in a moment.\n", 503

    app.register_error_handler(NoSuchJobError, gone)
    app.register_error_handler(redis.exceptions.RedisError, unreachable)
    app.register_error_handler(QueueUnavailable, unreachable)


def _place(settings: Settings) -> str:
    """The address of the queue's Redis, without user and password."""
    if settings.embedded:
        return "the embedded Valkey"
    url = urlsplit(settings.queue_url)
    return url.netloc.rpartition("@")[2] + url.path


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.dashboard_host, settings.dashboard_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise StartError(
                f"Port {port} of {host} is taken; set FARM_DASHBOARD_PORT to another."
            ) from exc
        raise StartError(f"The dashboard cannot listen on {host}, port {port}: {exc}") from exc
