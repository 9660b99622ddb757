"""`farm worker`: one process, one engine, N job threads, each a worker of its own to RQ; and the
webhooks of whatever jobs have ended.
"""

import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from os import getpid

import redis
import structlog

from farm.cache import CachedRenderer
from farm.errors import StartError
from farm.jobs import task
from farm.jobs.record import Records
from farm.jobs.rq_worker import HEARTBEAT_S, MAINTENANCE_S, RqWorker
from farm.jobs.webhooks.outbox import Outbox
from farm.jobs.webhooks.sender import Sender
from farm.jobs.webhooks.sending import Sending
from farm.logs import first_line
from farm.metrics import exposition
from farm.metrics.figures import EngineWatch
from farm.render import Engine
from farm.settings import Settings
from farm.signals import Signals
from farm.storage import Storage

log = structlog.get_logger()

#: Beyond the render's deadline: for the input and the file. A job that runs for longer hangs, and
#: is left to another worker.
_STORING_S = 120.0
#: How long threads may take to hand back their jobs and take their leave of Redis.
_LEAVE_S = 5.0
#: How long webhooks may take that are being delivered; what is left is another worker's.
_TRIES_END_S = 3.0
_POLL_S = 0.05


class Worker:
    """The process: its engine, its threads, and the one that keeps them alive in Redis."""

    def __init__(self, settings: Settings, storage: Storage, client: redis.Redis) -> None:
        """Raises `StartError` if there is no browser."""
        self._settings = settings
        self._client = client
        threads = settings.job_concurrency
        # A place in line for each, for when a page that timed out has not gone yet.
        changes = {"pages_per_browser": threads, "max_waiting": threads}
        self._engine = Engine(settings.model_copy(update=changes))
        records = Records(client, settings.job_ttl_s)
        self._renderer = CachedRenderer.over(self._engine, settings)
        self._runner = task.JobRunner(self._renderer, storage, records)
        timeout_s = settings.webhook_timeout_s
        sending = Sending(self._engine.open_port, storage, settings.webhook_keys, timeout_s)
        self._webhooks = Sender(Outbox(client), sending, timeout_s)
        self._names = _names()
        self._workers: list[RqWorker | None] = [None] * threads
        self._stopped = threading.Event()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; then end what runs within the grace time, or until the next
        of them, and hand back the rest. Raises `StartError`.
        """
        task.use(self._runner)
        signals = Signals(signal.SIGTERM, signal.SIGINT)
        if port := self._settings.metrics_port:
            _serve_metrics(self._settings.host, port)
        self._engine.start()
        EngineWatch(lambda: self._engine.status).start()
        try:
            self._engine.wait_started()
            threads = [_started(self._take_jobs, place) for place in range(len(self._workers))]
            _started(self._keep)
            self._webhooks.start()
            log.info("worker up", concurrency=len(threads))
            signals.next()
            self._stopped.set()
            self._drain(threads, signals)
        finally:
            self._renderer.close()
            self._engine.close()
        log.info("worker stopped")

    def _take_jobs(self, place: int) -> None:
        """One of the job threads. RQ's worker ends on errors it does not know: then a new one."""
        while not self._stopped.is_set():
            worker = None
            try:
                worker = self._workers[place] = RqWorker(
                    self._client,
                    next(self._names),
                    self._runner.on_failure,
                    self._runner.cancel,
                    is_ready=lambda: self._engine.status.up,
                )
                worker.run()
            except Exception as exc:
                log.warning("job thread starts again", cause=first_line(exc))
            self._workers[place] = None
            self._stopped.wait(1)

    def _keep(self) -> None:
        """Show Redis that the running jobs are alive, and look for those that are not."""
        longest_s = self._settings.render_deadline_s + _STORING_S
        maintained = time.monotonic()
        while True:
            beaten = time.monotonic()
            try:
                workers = [worker for worker in self._workers if worker is not None]
                for worker in workers:
                    worker.beat(longest_s)
                if time.monotonic() - beaten > 2 * HEARTBEAT_S:
                    # Redis was away. Others have yet to show that their jobs are alive.
                    maintained = time.monotonic()
                elif workers and time.monotonic() - maintained >= MAINTENANCE_S:
                    maintained = time.monotonic()
                    workers[0].maintain()
            except Exception as exc:
                log.warning("worker could not keep its jobs", cause=first_line(exc))
            time.sleep(HEARTBEAT_S)

    def _drain(self, threads: list[threading.Thread], signals: Signals) -> None:
        log.info("worker stopping", running=self._running())
        for worker in self._workers:
            if worker is not None:
                worker.stop()
        end = time.monotonic() + self._settings.job_grace_s
        while self._running() and time.monotonic() < end and not signals.next(_POLL_S):
            pass
        if running := self._running():
            log.warning("worker hands back its jobs", jobs=running)
        self._runner.stopping.set()
        # Those of the jobs that have just ended among them; they go out by the engine's proxy.
        self._webhooks.stop(_TRIES_END_S)
        self._renderer.close()
        self._engine.close()
        # Not for ever: with its Redis gone, a thread would go on trying to take its leave.
        end = time.monotonic() + _LEAVE_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _running(self) -> list[str]:
        workers = [worker for worker in self._workers if worker is not None]
        return [job_id for worker in workers for job_id in worker.running]


def _serve_metrics(host: str, port: int) -> None:
    try:
        exposition.serve(host, port)
    except OSError as exc:
        raise StartError(
            f"FARM_METRICS_PORT: port {port} of {host} cannot be listened on: {exc}"
        ) from exc


def _started(target: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


def _names() -> Iterator[str]:
    """Names for RQ's list of workers: host, process, number. No two are the same, ever."""
    process = f"{socket.gethostname()}.{getpid()}-{secrets.token_hex(2)}"
    return (f"{process}.{number}" for number in count(1))
