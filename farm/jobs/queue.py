"""The job queue for request threads: submit a job, read its record, wait for its end, cancel it.

The routes of `web` call `RedisJobQueue` through the protocol `farm.job.JobQueue`. `submissions`
accepts jobs, `record` keeps their state, and `rq_queue` keeps their order.
"""

from collections.abc import Sequence
from contextlib import suppress

import redis
import structlog

from farm.clock import age_s
from farm.errors import FarmError, InternalError, NotFound
from farm.job import QueueFigures, Record, State, input_name
from farm.jobs import broker
from farm.jobs.endings import Endings
from farm.jobs.expiry import STORED_KEY, discard
from farm.jobs.record import Records
from farm.jobs.rq_queue import QUEUE_NAME, RqQueue
from farm.jobs.submissions import Submissions
from farm.jobs.webhooks import due
from farm.jobs.webhooks.outbox import Outbox
from farm.metrics import figures as metrics
from farm.request import RenderRequest
from farm.settings import Settings
from farm.storage import Storage
from farm.webhooks import Target

log = structlog.get_logger()

_REMOVED = "The job was removed from the queue before it began."


class RedisJobQueue:
    """`farm.job.JobQueue` on RQ. The protocol's docstrings describe the methods."""

    def __init__(self, client: redis.Redis, storage: Storage, settings: Settings) -> None:
        self._client = client
        self._storage = storage
        self._records = Records(client, settings.job_ttl_s)
        self._queue = RqQueue(client, settings.job_ttl_s)
        self._submissions = Submissions(client, storage, self._queue, settings)
        self._outbox = Outbox(client)
        self._endings = Endings(client, settings.max_long_polls)

    def submit(
        self,
        request: RenderRequest,
        request_id: str,
        idempotency_key: str | None = None,
        caller: str | None = None,
        targets: Sequence[Target] = (),
    ) -> str:
        return self._submissions.submit(request, request_id, idempotency_key, caller, targets)

    def read(self, job_id: str, caller: str | None = None) -> tuple[Record, int | None]:
        record = self._records.read(job_id, caller)
        position = None
        if record.status is State.PENDING:
            with broker.translated():
                position = self._queue.position(job_id)
                is_lost = position is None and not self._queue.knows(job_id)
            if is_lost:
                return self._fail_lost(job_id, caller), None
        return record, position

    def _fail_lost(self, job_id: str, caller: str | None) -> Record:
        """Fail a pending job that RQ no longer has, so that it never runs.

        `rq empty` removes jobs in this way.
        """
        if self._records.fail(job_id, InternalError(_REMOVED)):
            metrics.job("failed")
            log.error("job", outcome="failed", job_id=job_id, cause="not in the queue any more")
            discard(self._storage, input_name(job_id))
        return self._records.read(job_id, caller)

    def wait(self, job_id: str, seconds: float, caller: str | None = None) -> None:
        self._endings.wait(job_id, seconds, lambda: self._records.read(job_id, caller).status.final)

    def close(self) -> None:
        """Close the connections to Redis."""
        self._endings.close()
        self._client.close()

    def cancel(self, job_id: str, caller: str | None = None) -> Record:
        self._records.read(job_id, caller)
        record = self._records.cancel(job_id)
        metrics.job("cancelled")
        # The job has no result from here on, even if one of the next steps fails.
        with suppress(FarmError), broker.translated():
            if not self._queue.remove(job_id):
                self._queue.stop(job_id)
        discard(self._storage, input_name(job_id))
        return record

    def send_again(self, job_id: str, caller: str | None = None) -> Record:
        self._records.read(job_id, caller)
        return self._outbox.send_again(job_id)

    def figures(self) -> QueueFigures:
        with broker.translated():
            waiting, oldest_id = self._queue.waiting()
            stored = self._client.get(STORED_KEY)
            webhooks = due.count(self._client)
        oldest_s = 0.0
        if oldest_id is not None:
            # The job may have ended meanwhile, or may not be the farm's.
            with suppress(NotFound, InternalError):
                oldest_s = age_s(self._records.read(oldest_id).created_at)
        storage_bytes = None if stored is None else int(stored)
        return QueueFigures(QUEUE_NAME, waiting, oldest_s, storage_bytes, webhooks)
