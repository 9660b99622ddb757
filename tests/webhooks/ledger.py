"""Which jobs' ends were told, how often, and what was wrong."""

import threading
from collections import Counter
from dataclasses import dataclass, field

from tests.support.receiver import Call


@dataclass
class Ledger:
    """Thread-safe."""

    #: Ids of the messages that each accepted job owes.
    owed: set[str] = field(default_factory=set)
    #: How often each has come, whatever it was answered, and how often it was taken.
    calls: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    unsigned: list[str] = field(default_factory=list)
    #: Bodies of a message that are not the same.
    changed: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    killed: int = 0
    #: What records say at the end, by the deliveries' states.
    states: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    _bodies: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def came(self, call: Call) -> None:
        with self._lock:
            self.calls[call.id] += 1
            if not call.is_signed():
                self.unsigned.append(call.id)
            if self._bodies.setdefault(call.id, call.body) != call.body:
                self.changed.append(call.id)

    def answered(self, call: Call, status: int) -> None:
        with self._lock:
            self.answers[status] += 1
            if status < 300:
                self.delivered[call.id] += 1

    @property
    def missing(self) -> set[str]:
        with self._lock:
            return self.owed - set(self.delivered)

    def broken_promises(self) -> list[str]:
        """Empty where all were kept."""
        broken = [f"not delivered: {each}" for each in sorted(self.missing)]
        broken += [f"not signed: {each}" for each in self.unsigned]
        broken += [f"another body: {each}" for each in self.changed]
        broken += [f"nobody's: {each}" for each in sorted(set(self.calls) - self.owed)]
        if others := {state: n for state, n in self.states.items() if state != "delivered"}:
            broken.append(f"records say otherwise: {others}")
        return broken

    def table(self) -> str:
        more_than_once = sum(count > 1 for count in self.delivered.values())
        rows = [
            ("jobs accepted, a webhook each", len(self.owed)),
            ("delivered", len(self.owed & set(self.delivered))),
            ("delivered more than once", more_than_once),
            ("not delivered", len(self.missing)),
            ("not signed", len(self.unsigned)),
            ("tries that the receiver saw", sum(self.calls.values())),
            *((f"answered with {status}", n) for status, n in sorted(self.answers.items())),
            ("workers killed", self.killed),
            *((f"the record says: {state}", n) for state, n in sorted(self.states.items())),
            ("seconds", round(self.seconds)),
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {value}" for name, value in rows]
        return "\n".join([*lines, *(f"BROKEN  {what}" for what in self.broken_promises())])
