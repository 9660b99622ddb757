"""The model of one machine: its cores, and the gunicorn workers that share them."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from farm.plan.cores import Cores, Task
from farm.plan.events import Clock
from farm.plan.kinds import Kind
from farm.plan.line import Line

#: The processor time of an answer from the cache and of a refusal, in seconds
#: (docs/performance.md).
HIT_S = 0.00055
REFUSAL_S = 0.001
#: Pages for each core that a worker begins within `SHARE_S` (`Settings.pages_at_once`).
PAGES_PER_CORE = 8
#: `Settings.worker_count`.
CORES_PER_WORKER = 2


@dataclass(frozen=True)
class MachineType:
    """The size of one machine. The defaults are the farm's. `cores`: those that renders may use."""

    cores: float = 2
    pages: int = 32
    max_waiting: int = 32
    deadline_s: float = 30
    workers: int | None = None

    @property
    def worker_count(self) -> int:
        return self.workers or max(1, int(self.cores // CORES_PER_WORKER))

    @property
    def at_once(self) -> int:
        return max(2, round(PAGES_PER_CORE * self.cores / self.worker_count))


#: Called as `answer(render, ok)` when a render ends.
Answer = Callable[["Render", bool], None]


class Render:
    """One render on its way through a worker. Its `answer` is called once."""

    __slots__ = ("answer", "deadline", "is_over", "kind", "task", "wait_s")

    def __init__(self, kind: Kind, wait_s: float, answer: Answer) -> None:
        self.kind = kind
        self.wait_s = wait_s
        self.answer = answer
        self.deadline = math.inf
        self.task: Task | None = None
        #: Whether it was answered, with success or with an error.
        self.is_over = False


class Worker:
    """One browser with its pages, and the queue before them."""

    def __init__(self, clock: Clock, cores: Cores, type_: MachineType) -> None:
        self._clock = clock
        self._cores = cores
        self._deadline_s = type_.deadline_s
        self.line: Line[Render] = Line(type_.pages, type_.max_waiting, type_.at_once)
        self.most_pages = 0
        self._wakes_at = 0.0
        #: The accepted renders in the order of their deadlines. Some have ended.
        self._taken: deque[Render] = deque()

    def offer(self, render: Render) -> int | None:
        """Accept a render (None), or refuse it: the seconds of `Retry-After`."""
        refusal = self.line.refusal(self._clock.now, self._deadline_s)
        if refusal is not None:
            self.compute(REFUSAL_S)
            return refusal
        render.deadline = self._clock.now + self._deadline_s
        if not self._taken:
            self._clock.at(render.deadline, self._check_deadlines)
        self._taken.append(render)
        self.line.join(render)
        self._dispatch()
        return None

    def compute(self, seconds: float) -> None:
        """Use processor time for work without a page, such as a refusal."""
        self._cores.work(seconds, _nothing, None)

    def _check_deadlines(self, _: None) -> None:
        taken = self._taken
        while taken and (taken[0].is_over or taken[0].deadline <= self._clock.now):
            render = taken.popleft()
            if not render.is_over:
                self._give_up(render)
        if taken:
            self._clock.at(taken[0].deadline, self._check_deadlines)

    def _give_up(self, render: Render) -> None:
        """Answer the render as failed, and end its page."""
        if not self.line.remove_waiting(render):
            if render.task is not None:
                self._cores.cancel(render.task)
            self.line.release(self._clock.now, render)
        self._end(render, ok=False)
        self._dispatch()

    def _dispatch(self) -> None:
        now = self._clock.now
        while (render := self.line.take(now)) is not None:
            work_s = render.kind.cpu_ms / 1000
            render.task = self._cores.work(work_s, self._computed, render)
        self.most_pages = max(self.most_pages, self.line.running)
        wake = self.line.next_share_end()
        if wake is not None and self._wakes_at <= now:
            self._wakes_at = wake
            self._clock.at(wake, self._wake)

    def _wake(self, _: None) -> None:
        self._wakes_at = 0.0
        self._dispatch()

    def _computed(self, render: Render) -> None:
        render.task = None
        self._clock.at(self._clock.now + render.wait_s, self._waited, render)

    def _waited(self, render: Render) -> None:
        if render.is_over:  # given up meanwhile
            return
        self._end(render, ok=True)
        self._cores.work(render.kind.closing_ms / 1000, self._closed, render)

    def _closed(self, render: Render) -> None:
        self.line.release(self._clock.now, render)
        self._dispatch()

    def _end(self, render: Render, ok: bool) -> None:
        render.is_over = True
        render.answer(render, ok)


class Machine:
    """The workers of one `farm serve`, which share cores."""

    def __init__(self, clock: Clock, type_: MachineType, cores: Cores | None = None) -> None:
        """`cores`: those of another machine, if several instances share one."""
        self.cores = cores or Cores(clock, type_.cores)
        self.workers = [Worker(clock, self.cores, type_) for _ in range(type_.worker_count)]
        #: The number of requests under way.
        self.requests = 0


def _nothing(_: None) -> None:
    pass
