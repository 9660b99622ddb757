"""Takes deliveries from the queue, and records the outcome of each try.

`sender` and `queue` call `Outbox`, from any thread. Each step changes the queue (`due`) and the
job's record atomically.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import redis

from farm.errors import NotFound, NotReady
from farm.job import Record
from farm.jobs import broker
from farm.jobs.record import NO_SUCH_JOB, parsed, record_key
from farm.jobs.webhooks import due
from farm.webhooks import Delivery, DeliveryState, Target

if TYPE_CHECKING:
    from redis.client import Pipeline

_NO_WEBHOOK = "The job has no webhook that is told of its end."
_NOT_READY = "The job has not ended yet; its webhook is called when it has."


class Expired(Exception):
    """The job's record has expired, so its delivery was removed from the queue.

    `str()` of it is the job's id.
    """


@dataclass(frozen=True)
class Parcel:
    """A delivery that was taken, and what one try needs of its job."""

    taken: due.Taken
    record: Record
    target: Target
    delivery: Delivery

    @property
    def job_id(self) -> str:
        return self.taken.name.job_id


class Outbox:
    """All deliveries. All methods raise `QueueUnavailable` when Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._queue = due.DueQueue(client)

    def take(self, lease_s: float, busy: Collection[str]) -> Parcel | None:
        """Take the next due delivery that is not `busy`, for `lease_s`. None if there is none.

        `busy`: see `due.DueQueue.take`. Raises `Expired`. Raises `InternalError` if this version
        cannot read the delivery or its record, which another version has written. Such a delivery
        stays in the queue.
        """
        with broker.translated():
            taken = self._queue.take(lease_s, busy)
            if taken is None:
                return None
            name = taken.name
            text = self._client.get(record_key(name.job_id))
            if text is None:
                due.remove(self._client, name)
                raise Expired(name.job_id)
        record = parsed(text)
        delivery = record.read_deliveries()[name.place]
        return Parcel(taken, record, record.read_targets()[delivery.target], delivery)

    def settle(
        self, parcel: Parcel, change: Callable[[Delivery], Delivery], again_in_ms: int | None
    ) -> Delivery | None:
        """Record the outcome of a try, and remove the delivery from the queue or postpone it.

        `change` makes the delivery's new state. `again_in_ms`: when it is due again; None: never.
        Returns the delivery as the record then has it; None if the record has expired. If the lease
        has ended meanwhile, or a client has asked for the delivery anew, only the number of tries
        is changed.
        """
        key, place = record_key(parcel.job_id), parcel.taken.name.place
        while True:
            with broker.translated():
                text = self._client.get(key)
            record = parsed(text) if text is not None else parcel.record
            deliveries = record.read_deliveries()
            before = deliveries[place]
            held = change(before)
            late = replace(before, tries=held.tries)
            with broker.translated():
                outcome = self._queue.settle(
                    parcel.taken,
                    key,
                    text or "",
                    _with(record, place, held),
                    _with(record, place, late),
                    again_in_ms,
                )
            if outcome != "changed":
                return {"settled": held, "late": late}.get(outcome)

    def send_again(self, job_id: str) -> Record:
        """Deliver all webhooks of a job that has ended anew. Raises `NotFound` or `NotReady`."""
        key = record_key(job_id)

        def send_again(pipe: "Pipeline") -> Record:
            text = pipe.get(key)
            if text is None:
                raise NotFound(NO_SUCH_JOB)
            record = parsed(text)
            targets = record.read_targets()
            if not record.status.final:
                raise NotReady(_NOT_READY) if targets else NotFound(_NO_WEBHOOK)
            now_ms = due.now_ms(pipe)
            deliveries = [
                replace(each, state=DeliveryState.PENDING, since_ms=now_ms)
                for each in record.read_deliveries()
            ]
            if not deliveries:
                raise NotFound(_NO_WEBHOOK)
            record = record.with_deliveries(deliveries)
            pipe.multi()
            pipe.set(key, record.to_json(), keepttl=True)
            due.put_all(pipe, job_id, record.owner, targets, deliveries, now_ms)
            return record

        return broker.transaction(self._client, send_again, key)


def _with(record: Record, place: int, delivery: Delivery) -> str:
    deliveries = record.read_deliveries()
    deliveries[place] = delivery
    return record.with_deliveries(deliveries).to_json()
