"""Deliveries as they are taken from the line, tried, and put back or ended: each step at once for
the line and for the job's record, or not at all.
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
    """The job's record is gone, and so its delivery has left the line. `str()`: the job's id."""


@dataclass(frozen=True)
class Parcel:
    """What one try is made of."""

    taken: due.Taken
    record: Record
    target: Target
    delivery: Delivery

    @property
    def job_id(self) -> str:
        return self.taken.name.job_id


class Outbox:
    """What is to be delivered. All methods raise `QueueUnavailable` when Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._line = due.Line(client)

    def take(self, lease_s: float, busy: Collection[str]) -> Parcel | None:
        """The next that is due and not `busy` (`due.Line.take`), for `lease_s`; None: there is
        none.

        Raises `Expired`, and `InternalError` where it or its record is not understood: it stays in
        the line, since another version of the farm has written it.
        """
        with broker.translated():
            taken = self._line.take(lease_s, busy)
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
        """After a try: change what the record tells, and leave the line or be due again.

        Returns how it is told from now on; None: the record has expired. Where the lease was over
        meanwhile, or it was asked for anew, what becomes of it is not for this try to say: then
        only the try is counted.
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
                outcome = self._line.settle(
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
        """Raises `NotFound` or `NotReady`."""
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
