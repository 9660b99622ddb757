"""The model of several machines behind nginx, with the rules of conf/nginx.conf."""

import math
import random
from collections import deque
from typing import Protocol

from farm.plan.cores import Cores
from farm.plan.events import Clock
from farm.plan.machine import HIT_S, Answer, Machine, MachineType, Render, Worker

#: `proxy_next_upstream_tries`.
TRIES = 3


class Fleet(Protocol):
    """Machines that render."""

    machines: list[Machine]

    def send(self, render: Render) -> int | None:
        """Accept a render (None), or refuse it: the seconds of `Retry-After`."""

    def hit(self) -> None:
        """Answer a request from the cache."""


class Balanced:
    """Machines behind nginx's `least_conn`: a request goes to the machine with the fewest requests.
    A refused request is tried on others.
    """

    def __init__(
        self,
        clock: Clock,
        type_: MachineType,
        count: int,
        random_: random.Random,
        share_cores: bool = False,
    ) -> None:
        """`share_cores`: all instances run on one machine, as in a test, and share its cores."""
        cores = Cores(clock, type_.cores) if share_cores else None
        self.machines = [Machine(clock, type_, cores) for _ in range(count)]
        self._random = random_
        self._turn = 0

    def send(self, render: Render) -> int | None:
        tried: list[Machine] = []
        while True:
            machine = self._next(tried)
            refusal = self._offer(machine, render)
            tried.append(machine)
            if refusal is None or len(tried) >= min(TRIES, len(self.machines)):
                return refusal

    def hit(self) -> None:
        self._random.choice(self._next([]).workers).compute(HIT_S)

    def _next(self, tried: list[Machine]) -> Machine:
        """The machine with the fewest requests that was not tried. Equal machines take turns."""
        best, fewest = self._turn, math.inf
        for offset in range(1, len(self.machines) + 1):
            at = (self._turn + offset) % len(self.machines)
            machine = self.machines[at]
            if machine.requests < fewest and machine not in tried:
                best, fewest = at, machine.requests
                if not fewest:
                    break
        self._turn = best
        return self.machines[best]

    def _offer(self, machine: Machine, render: Render) -> int | None:
        # The kernel chooses the worker that accepts a connection, by no known rule.
        workers = machine.workers
        worker = workers[0] if len(workers) == 1 else self._random.choice(workers)
        answer = render.answer

        def answered(render: Render, ok: bool) -> None:
            machine.requests -= 1
            answer(render, ok)

        machine.requests += 1
        render.answer = answered
        refusal = worker.offer(render)
        if refusal is not None:
            machine.requests -= 1
            render.answer = answer
        return refusal


class Queued:
    """`farm worker`s with one queue. No job is refused, and the oldest job is next."""

    def __init__(self, clock: Clock, type_: MachineType, count: int, concurrency: int) -> None:
        """`concurrency`: the number of jobs that each worker process renders at the same time."""
        self.machines = [Machine(clock, type_) for _ in range(count)]
        self._concurrency = concurrency
        self._waiting: deque[Render] = deque()
        workers = [worker for machine in self.machines for worker in machine.workers]
        self._jobs = dict.fromkeys(workers, 0)
        #: The greatest length of the queue.
        self.most_waiting = 0

    def send(self, render: Render) -> int | None:
        self._waiting.append(render)
        self._begin()
        self.most_waiting = max(self.most_waiting, len(self._waiting))
        return None

    def hit(self) -> None:
        raise NotImplementedError("jobs do not come from the cache in this model")

    def _begin(self) -> None:
        while self._waiting:
            worker = min(self._jobs, key=self._jobs.__getitem__)
            if self._jobs[worker] >= self._concurrency:
                return
            render = self._waiting.popleft()
            answer = render.answer

            def answered(
                render: Render, ok: bool, worker: Worker = worker, answer: Answer = answer
            ) -> None:
                self._jobs[worker] -= 1
                answer(render, ok)
                self._begin()

            self._jobs[worker] += 1
            render.answer = answered
            worker.offer(render)
