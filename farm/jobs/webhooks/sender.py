"""The threads of a worker process that send webhooks.

`Worker` starts a `Sender`. Its thread `webhooks` takes due deliveries, and starts a thread
`webhook` for each try. No thread forks, and no error of theirs ends the worker. If a process dies
or stops before it has recorded a try, the delivery is due again after its lease, for any worker.
"""

import random
import threading
import time
from collections import Counter
from dataclasses import replace

import structlog

from farm.clock import timestamp
from farm.errors import InternalError
from farm.jobs.webhooks.outbox import Expired, Outbox, Parcel
from farm.jobs.webhooks.transport import Outcome, Transport
from farm.logs import first_line
from farm.metrics import figures
from farm.webhooks import Delivery, DeliveryState

log = structlog.get_logger()

#: The number of concurrent tries of this process.
_AT_ONCE = 32
#: The number of concurrent tries for one receiver, so that a slow receiver delays no other. A
#: caller may have as many as are free, so at most half of all, and one is always free for a caller
#: that has none.
_OF_ONE_RECEIVER = 4
#: How often the queue is checked for a due delivery.
_LOOK_S = 0.25
#: How much longer a lease is than a try: for the storage, which has its own time-outs, and Redis.
_LEASE_MARGIN_S = 15.0
_FAULT_PAUSE_S = 1.0


class Sender:
    """Sends due webhooks, from `start` to `stop`."""

    #: The shortest and the longest pause after a failed try. Between them, the pause is the time
    #: since the first try. A random fifth is added or subtracted.
    first_pause_s = 5.0
    longest_pause_s = 600.0
    #: No try begins later than this after the job's end, or after a client asked for a new
    #: delivery.
    tried_for_s = 3600.0

    def __init__(self, outbox: Outbox, transport: Transport, timeout_s: float) -> None:
        """`timeout_s`: the longest that one try may take."""
        self._outbox = outbox
        self._transport = transport
        self._lease_s = timeout_s + _LEASE_MARGIN_S
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        self._lock = threading.Lock()
        #: The number of tries under way: for each receiver, and for each caller with a slash after
        #: its name.
        self._of_receivers: Counter[str] = Counter()
        self._of_callers: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._failing = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="webhooks", daemon=True).start()

    def stop(self, timeout_s: float) -> None:
        """Take no more deliveries, and wait up to `timeout_s` for the tries under way."""
        self._stopping.set()
        end = time.monotonic() + timeout_s
        for _ in range(_AT_ONCE):
            if not self._places.acquire(timeout=max(0.0, end - time.monotonic())):
                return

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._places.acquire(timeout=_LOOK_S):
                self._stopping.wait(self._begin_next())

    def _begin_next(self) -> float:
        """Begin the next due try, in the place that the caller has acquired.

        Returns the seconds until the next check. Releases the place if no try was begun.
        """
        pause_s, begun = 0.0, False
        try:
            stopping = self._stopping.is_set()
            parcel = None if stopping else self._outbox.take(self._lease_s, self._busy())
            if parcel is None:
                pause_s = _LOOK_S
            else:
                self._begin(parcel)
                begun = True
            self._failing = False
        except Expired as exc:
            log.info("webhook", outcome="expired", job_id=str(exc))
            figures.webhook("expired")
        except InternalError as exc:
            # Another version of the farm has written the delivery, which is now postponed. This
            # version may be able to read the next one.
            log.warning("webhook", outcome="not understood", cause=first_line(exc))
        except Exception as exc:
            # Redis is gone, or no thread can be started.
            if not self._failing:
                log.warning("webhooks are not delivered for now", cause=first_line(exc))
            self._failing = True
            pause_s = _FAULT_PAUSE_S
        finally:
            if not begun:
                self._places.release()
        return pause_s

    def _busy(self) -> set[str]:
        """Receivers and callers that may have no more tries at the moment.

        Jobs without a caller are never busy: without API keys, no place is kept for other callers.
        """
        with self._lock:
            free = _AT_ONCE - self._of_callers.total()
            receivers = {name for name, n in self._of_receivers.items() if n >= _OF_ONE_RECEIVER}
            callers = {name for name, n in self._of_callers.items() if n >= free}
            return receivers | (callers - {"/"})

    def _begin(self, parcel: Parcel) -> None:
        self._count(parcel, 1)
        try:
            threading.Thread(target=self._try, args=[parcel], name="webhook", daemon=True).start()
        except RuntimeError:  # no thread can be started; the delivery is due again after its lease
            self._count(parcel, -1)
            raise

    def _try(self, parcel: Parcel) -> None:
        try:
            began = time.monotonic()
            outcome = self._transport.send(parcel)
            if outcome.delivered or not self._stopping.is_set():
                self._settle(parcel, outcome, time.monotonic() - began)
        except Exception as exc:
            log.error("webhook", outcome="not settled", job_id=parcel.job_id, exc_info=exc)
        finally:
            self._count(parcel, -1)
            self._places.release()

    def _count(self, parcel: Parcel, change: int) -> None:
        name = parcel.taken.name
        with self._lock:
            for counter, key in (
                (self._of_receivers, name.receiver),
                (self._of_callers, f"{name.caller}/"),
            ):
                counter[key] += change
                if not counter[key]:
                    del counter[key]

    def _settle(self, parcel: Parcel, outcome: Outcome, seconds: float) -> None:
        now_ms = parcel.taken.now_ms + int(seconds * 1000)
        again_in_ms = None
        if not (outcome.delivered or outcome.ends_it):
            again_in_ms = self._pause_ms(parcel.delivery, now_ms)
        state = _state(outcome, again_in_ms)

        def change(before: Delivery) -> Delivery:
            return replace(
                before,
                state=state,
                tries=before.tries + 1,
                tried_at=timestamp(),
                status=outcome.status,
                reason=outcome.reason,
            )

        after = self._outbox.settle(parcel, change, again_in_ms)
        said = "retried" if state is DeliveryState.PENDING else state.value
        if after is None and not outcome.delivered:
            said = "expired"
        figures.webhook(said)
        record = parcel.record
        line = {
            "outcome": said,
            "job_id": parcel.job_id,
            "request_id": record.request_id,
            "caller": record.owner,
            "host": parcel.target.host,
            "status": outcome.status,
            "cause": outcome.reason,
            "tries": after.tries if after else None,
            "again_in_s": again_in_ms / 1000 if after and again_in_ms is not None else None,
            "total_ms": round(seconds * 1000, 1),
        }
        log.info("webhook", **{name: value for name, value in line.items() if value is not None})

    def _pause_ms(self, delivery: Delivery, now_ms: int) -> int | None:
        """The time until the next try. None if no time is left for one."""
        tried_for_s = (now_ms - delivery.since_ms) / 1000
        pause_s = min(max(tried_for_s, self.first_pause_s), self.longest_pause_s)
        pause_ms = int(pause_s * random.uniform(0.8, 1.2) * 1000)
        return pause_ms if tried_for_s + pause_ms / 1000 <= self.tried_for_s else None


def _state(outcome: Outcome, again_in_ms: int | None) -> DeliveryState:
    if outcome.delivered:
        return DeliveryState.DELIVERED
    return DeliveryState.FAILED if again_in_ms is None else DeliveryState.PENDING
