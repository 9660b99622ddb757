"""Submission of jobs: checks a request, stores it, and enqueues the job exactly once.

`queue.RedisJobQueue` calls `Submissions.submit` in request threads. The record, the idempotency key
and RQ's entry are written in one transaction, so a submission that is repeated, or whose answer was
lost, makes one job.
"""

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address

import redis

from farm.clock import timestamp
from farm.errors import Busy, IdempotencyConflict, UrlRefused
from farm.job import Record, State, input_name
from farm.jobs import broker
from farm.jobs.expiry import discard
from farm.jobs.record import record_key
from farm.jobs.rq_queue import RqQueue
from farm.parsing import without_secrets
from farm.policy import Refused
from farm.request import RenderRequest
from farm.settings import Settings
from farm.storage import Storage
from farm.webhooks import Target

#: The share of `maxmemory` from which submissions are refused, so that workers can always write the
#: outcome of the jobs that were accepted.
_FULL_SHARE = 0.9
#: How long one look at Redis's memory stays valid.
_LOOK_VALID_S = 0.5
#: How long a submission waits until fewer than `max_submissions` are under way.
_PLACE_S = 0.5


class Submissions:
    """Accepts jobs: at most `settings.max_submissions` at the same time."""

    def __init__(
        self, client: redis.Redis, storage: Storage, queue: RqQueue, settings: Settings
    ) -> None:
        self._client = client
        self._storage = storage
        self._queue = queue
        self._places = threading.BoundedSemaphore(settings.max_submissions)
        self._looked_at = 0.0
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
        """See `farm.job.JobQueue.submit`."""
        if request.webhook is not None:
            targets = [request.webhook.target, *targets]
        for target in targets:
            self._check_allowed(target)
        if not self._places.acquire(timeout=_PLACE_S):
            raise Busy("Too many jobs are being submitted; try again in a moment.")
        try:
            claim = _Claim(idempotency_key, caller, request) if idempotency_key else None
            record = Record(
                status=State.PENDING,
                created_at=timestamp(),
                request_id=request_id,
                idempotency=claim.key if claim else None,
                owner=caller,
                targets=[target.to_dict() for target in targets] or None,
            )
            return self._submit(request, record, claim)
        finally:
            self._places.release()

    def _submit(self, request: RenderRequest, record: Record, claim: "_Claim | None") -> str:
        """Store the request and enqueue a job for it, unless one has its idempotency key."""
        self._check_memory()
        if claim and (job_id := self._claimed(self._client, claim)):
            return job_id
        job_id = str(uuid.uuid4())
        self._storage.put(input_name(job_id), request.to_json())
        # If this raises any other error, the job may be in the queue all the same, because only
        # Redis's answer was lost. So the input stays: the job needs it, or the sweep removes it.
        try:
            accepted = self._enqueue(job_id, request, record, claim)
        except IdempotencyConflict:
            discard(self._storage, input_name(job_id))
            raise
        if accepted != job_id:
            discard(self._storage, input_name(job_id))
        return accepted

    def _check_allowed(self, target: Target) -> None:
        """Raises `UrlRefused` for a webhook whose URL alone violates the egress policy.

        The addresses of its host name are checked when the webhook is sent.
        """
        try:
            by_name = self._policy.check_host(target.host, target.port)
            with suppress(ValueError):  # the host is a name, not an address
                self._policy.check_address(ip_address(target.host), by_name=by_name)
        except Refused as exc:
            raise UrlRefused(f"The egress policy does not allow the webhook's URL: {exc}.") from exc

    def _check_memory(self) -> None:
        """Raises `QueueUnavailable` if Redis is gone or nearly full."""
        if time.monotonic() - self._looked_at < _LOOK_VALID_S:
            return
        with broker.translated():
            memory = self._client.info("memory")
        if memory["used_memory"] >= _FULL_SHARE * (memory.get("maxmemory") or float("inf")):
            raise broker.full()
        self._looked_at = time.monotonic()

    def _claimed(self, connection: redis.Redis, claim: "_Claim") -> str | None:
        """The job that already has this idempotency key. Raises `IdempotencyConflict`."""
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
        self, job_id: str, request: RenderRequest, record: Record, claim: "_Claim | None"
    ) -> str:
        """Write the record, the claim and the queue entry, all or none.

        Returns the id of the job that has the claim.
        """

        def enqueue(pipe: "redis.client.Pipeline") -> str:
            if pipe.exists(record_key(job_id)):
                return job_id  # an earlier try has written it, and only Redis's answer was lost
            if claim and (other := self._claimed(pipe, claim)):
                return other
            pipe.multi()
            if claim:
                pipe.set(claim.key, json.dumps([job_id, claim.digest]))
            pipe.set(record_key(job_id), record.to_json())
            self._queue.enqueue(
                pipe,
                job_id,
                record.request_id,
                _description(request),
                record.owner,
                self._weight_of(record.owner),
                request.priority,
            )
            return job_id

        watched = [record_key(job_id), *([claim.key] if claim else [])]
        return broker.transaction(self._client, enqueue, *watched)


class _Claim:
    """An idempotency key as it is stored in Redis, and the digest of its request.

    Each caller has keys of its own.
    """

    def __init__(self, idempotency_key: str, caller: str | None, request: RenderRequest) -> None:
        # Neither text contains a space, so different pairs give different texts.
        scoped = idempotency_key if caller is None else f"{caller} {idempotency_key}"
        self.key = f"idempotency:{hashlib.sha256(scoped.encode()).hexdigest()}"
        self.digest = hashlib.sha256(request.to_json()).hexdigest()


def _description(request: RenderRequest) -> str:
    """The job's name in the dashboard. It omits a URL's query and password, which may be secret."""
    options = request.options
    page = "HTML" if request.markdown is None else "Markdown"
    if request.url is not None:
        page = without_secrets(request.url)
    return f"{page} → {request.format.name} {options.width} × {options.height}"
