"""Jobs for those who submit and ask: `RenderRequest` in, `Record` out."""

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address

import redis
import structlog

from farm.clock import age_s, timestamp
from farm.errors import (
    Busy,
    FarmError,
    IdempotencyConflict,
    InternalError,
    NotFound,
    UrlRefused,
)
from farm.job import QueueFigures, Record, State, input_name
from farm.jobs import broker
from farm.jobs.endings import Endings
from farm.jobs.expiry import STORED_KEY, discard
from farm.jobs.record import Records, record_key
from farm.jobs.rq_adapter import QUEUE_NAME, RqQueue
from farm.jobs.webhooks import due
from farm.jobs.webhooks.outbox import Outbox
from farm.metrics import figures as metrics
from farm.parsing import without_secrets
from farm.policy import Refused
from farm.request import RenderRequest
from farm.settings import Settings
from farm.storage import Storage
from farm.webhooks import Target

log = structlog.get_logger()

#: Share of `maxmemory` from which submissions are refused, so that workers can always write what
#: becomes of the jobs that were accepted; and for how long one look at it is believed.
_FULL = 0.9
_LOOK_VALID_S = 0.5
_REMOVED = "The job was removed from the queue before it began."
#: How long a submission waits for its turn at a slow storage.
_TURN_S = 0.5


class RedisJobQueue:
    """`farm.job.Jobs` over RQ; its docstrings say what each method does."""

    def __init__(self, client: redis.Redis, storage: Storage, settings: Settings) -> None:
        self._client = client
        self._storage = storage
        self._records = Records(client, settings.job_ttl_s)
        self._queue = RqQueue(client, settings.job_ttl_s)
        self._outbox = Outbox(client)
        self._endings = Endings(client, settings.max_long_polls)
        self._submissions = threading.BoundedSemaphore(settings.max_submissions)
        self._looked = 0.0
        self._policy = settings.egress_policy
        self._weight_of = settings.weight_of

    def submit(
        self,
        request: RenderRequest,
        request_id: str,
        idempotency_key: str | None = None,
        caller: str | None = None,
        targets: Sequence[Target] = (),
    ) -> str:
        if request.webhook is not None:
            targets = [request.webhook.target, *targets]
        for target in targets:
            self._check_allowed(target)
        if not self._submissions.acquire(timeout=_TURN_S):
            raise Busy("Too many jobs are being submitted; try again in a moment.")
        try:
            claim = _Claim(idempotency_key, caller, request) if idempotency_key else None
            return self._submit(request, request_id, claim, caller, targets)
        finally:
            self._submissions.release()

    def _submit(
        self,
        request: RenderRequest,
        request_id: str,
        claim: "_Claim | None",
        caller: str | None,
        targets: Sequence[Target],
    ) -> str:
        self._check_room()
        if claim and (job_id := self._claimed(self._client, claim)):
            return job_id
        job_id = str(uuid.uuid4())
        self._storage.put(input_name(job_id), request.to_json())
        # If this raises, the job may have been queued all the same, and only Redis's answer lost:
        # so the input stays, for the job or for the sweep.
        try:
            accepted = self._enqueue(job_id, request, request_id, claim, caller, targets)
        except IdempotencyConflict:
            discard(self._storage, input_name(job_id))
            raise
        if accepted != job_id:
            discard(self._storage, input_name(job_id))
        return accepted

    def read(self, job_id: str, caller: str | None = None) -> tuple[Record, int | None]:
        record = self._records.read(job_id, caller)
        position = None
        if record.status is State.PENDING:
            with broker.translated():
                position = self._queue.position(job_id)
                is_lost = position is None and not self._queue.knows(job_id)
            if is_lost:
                return self._ended(job_id, caller), None
        return record, position

    def _ended(self, job_id: str, caller: str | None) -> Record:
        """A job that waits, and that RQ does not know any more, will not run: `rq empty` did it."""
        if self._records.fail(job_id, InternalError(_REMOVED)):
            metrics.job("failed")
            log.error("job", outcome="failed", job_id=job_id, cause="not in the queue any more")
            discard(self._storage, input_name(job_id))
        return self._records.read(job_id, caller)

    def wait(self, job_id: str, seconds: float, caller: str | None = None) -> None:
        self._endings.wait(job_id, seconds, lambda: self._records.read(job_id, caller).status.final)

    def close(self) -> None:
        """Let go of the connections."""
        self._endings.close()
        self._client.close()

    def cancel(self, job_id: str, caller: str | None = None) -> Record:
        self._records.read(job_id, caller)
        record = self._records.cancel(job_id)
        metrics.job("cancelled")
        # From here on nobody gets a result, whatever else succeeds; the rest is tidying up.
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
            with suppress(NotFound, InternalError):  # taken and ended meanwhile, or not the farm's
                oldest_s = age_s(self._records.read(oldest_id).created_at)
        storage_bytes = None if stored is None else int(stored)
        return QueueFigures(QUEUE_NAME, waiting, oldest_s, storage_bytes, webhooks)

    def _check_allowed(self, target: Target) -> None:
        """Raises `UrlRefused` for what the egress policy refuses by the URL alone.

        What its name leads to is seen when it is called.
        """
        try:
            by_name = self._policy.check_host(target.host, target.port)
            with suppress(ValueError):  # it is a name
                self._policy.check_address(ip_address(target.host), by_name=by_name)
        except Refused as exc:
            raise UrlRefused(f"The egress policy does not allow the webhook's URL: {exc}.") from exc

    def _check_room(self) -> None:
        """Raises `QueueUnavailable` if Redis is gone, or nearly full."""
        if time.monotonic() - self._looked < _LOOK_VALID_S:
            return
        with broker.translated():
            memory = self._client.info("memory")
        if memory["used_memory"] >= _FULL * (memory.get("maxmemory") or float("inf")):
            raise broker.full()
        self._looked = time.monotonic()

    def _claimed(self, connection: redis.Redis, claim: "_Claim") -> str | None:
        """The job that has this idempotency key already. Raises `IdempotencyConflict`."""
        with broker.translated():
            text = connection.get(claim.key)
            if text is None:
                return None
            job_id, digest = json.loads(text)
            if not connection.exists(record_key(job_id)):
                return None
        if digest != claim.digest:
            raise IdempotencyConflict()
        return str(job_id)

    def _enqueue(
        self,
        job_id: str,
        request: RenderRequest,
        request_id: str,
        claim: "_Claim | None",
        caller: str | None,
        targets: Sequence[Target],
    ) -> str:
        """Record, claim and queue entry, all or none; the id of the job that has the claim."""
        record = Record(
            status=State.PENDING,
            created_at=timestamp(),
            request_id=request_id,
            idempotency=claim.key if claim else None,
            owner=caller,
            targets=[target.to_dict() for target in targets] or None,
        )

        def enqueue(pipe: "redis.client.Pipeline") -> str:
            if pipe.exists(record_key(job_id)):
                return job_id  # it was done, and only the answer was lost
            if claim and (other := self._claimed(pipe, claim)):
                return other
            pipe.multi()
            if claim:
                pipe.set(claim.key, json.dumps([job_id, claim.digest]))
            pipe.set(record_key(job_id), record.to_json())
            self._queue.enqueue(
                pipe,
                job_id,
                request_id,
                _description(request),
                caller,
                self._weight_of(caller),
                request.priority,
            )
            return job_id

        watched = [record_key(job_id), *([claim.key] if claim else [])]
        return broker.transaction(self._client, enqueue, *watched)


class _Claim:
    """An idempotency key in Redis, each caller's apart, and what it was sent with."""

    def __init__(self, idempotency_key: str, caller: str | None, request: RenderRequest) -> None:
        # Neither has a space in it, so no two are written alike.
        scoped = idempotency_key if caller is None else f"{caller} {idempotency_key}"
        self.key = f"idempotency:{hashlib.sha256(scoped.encode()).hexdigest()}"
        self.digest = hashlib.sha256(request.to_json()).hexdigest()


def _description(request: RenderRequest) -> str:
    """What the dashboard calls the job. A URL's query or password may be nobody's business."""
    options = request.options
    page = "HTML" if request.markdown is None else "Markdown"
    if request.url is not None:
        page = without_secrets(request.url)
    return f"{page} → {request.format.name} {options.width} × {options.height}"
