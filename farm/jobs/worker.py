"""`farm worker`: a process with one engine and N job threads, which also sends webhooks.

`commands.serving` and `supervisor` start the process; `Worker.run` is its main thread. Each job
thread runs an `RqWorker`. The thread `_keep_jobs` sends the heartbeats of running jobs and requeues
abandoned ones. The threads of `webhooks.sender` send the webhooks of all jobs that have ended.
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
from farm.jobs import broker, task
from farm.jobs.record import Records
from farm.jobs.rq_worker import HEARTBEAT_S, MAINTENANCE_S, RqWorker
from farm.jobs.webhooks.outbox import Outbox
from farm.jobs.webhooks.sender import Sender
from farm.jobs.webhooks.transport import Transport
from farm.logs import first_line
from farm.metrics import exposition
from farm.metrics.figures import EngineWatch
from farm.render import Engine
from farm.settings import Settings
from farm.signals import Signals
from farm.storage import Storage

log = structlog.get_logger()

#: The time for reading the input and storing the file, in addition to the render's deadline. A job
#: that runs for longer hangs. Its heartbeats stop, so that another worker takes it.
_STORING_S = 120.0
#: How long job threads may take to hand back their jobs and remove themselves from Redis.
_JOIN_S = 5.0
#: How long the webhooks that are being sent may take. Another worker sends the others.
_TRIES_END_S = 3.0
_POLL_S = 0.05


class Worker:
    """The worker process: its engine and its threads."""

    def __init__(self, settings: Settings, storage: Storage, client: redis.Redis) -> None:
        """Raises `StartError` if there is no browser."""
        self._settings = settings
        self._client = client
        threads = settings.job_concurrency
        # The queue of the engine has a place for each job thread: a page that timed out may still
        # hold its slot.
        changes = {"pages_per_browser": threads, "max_waiting": threads}
        self._engine = Engine(settings.model_copy(update=changes))
        records = Records(client, settings.job_ttl_s)
        self._renderer = CachedRenderer.over(self._engine, settings)
        self._runner = task.JobRunner(self._renderer, storage, records)
        timeout_s = settings.webhook_timeout_s
        transport = Transport(self._engine.open_port, storage, settings.webhook_keys, timeout_s)
        self._webhooks = Sender(Outbox(client), transport, timeout_s)
        self._names = _names()
        self._workers: list[RqWorker | None] = [None] * threads
        self._stopped = threading.Event()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT. Then wait for the running jobs until the grace time is over
        or another signal arrives, and hand back the others. Raises `StartError`.
        """
        task.set_runner(self._runner)
        signals = Signals(signal.SIGTERM, signal.SIGINT)
        if port := self._settings.metrics_port:
            _serve_metrics(self._settings.host, port)
        self._engine.start()
        EngineWatch(lambda: self._engine.status).start()
        try:
            self._engine.wait_started()
            threads = [_started(self._take_jobs, place) for place in range(len(self._workers))]
            _started(self._keep_jobs)
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
        """Run a job thread. RQ's worker ends on errors that it does not know; a new one follows."""
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

    def _keep_jobs(self) -> None:
        """Send the heartbeats of the running jobs, and requeue abandoned jobs, for ever."""
        longest_s = self._settings.render_deadline_s + _STORING_S
        maintained = time.monotonic()
        while True:
            began = time.monotonic()
            try:
                broker.await_writable(self._client)  # if no job runs here, no heartbeat waits
                workers = [worker for worker in self._workers if worker is not None]
                for worker in workers:
                    worker.send_heartbeats(longest_s)
                if time.monotonic() - began > 2 * HEARTBEAT_S:
                    # Redis was gone. Other workers need time to send their heartbeats first.
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
        # Before the engine is closed: webhooks are sent through its egress proxy.
        self._webhooks.stop(_TRIES_END_S)
        self._renderer.close()
        self._engine.close()
        # With a time-out: while Redis is gone, a thread goes on trying to remove its worker there.
        end = time.monotonic() + _JOIN_S
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
    """Names for RQ's list of workers: host, process, random suffix, number. Each is unique."""
    process = f"{socket.gethostname()}.{getpid()}-{secrets.token_hex(2)}"
    return (f"{process}.{number}" for number in count(1))
