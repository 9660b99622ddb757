"""The model of one machine's processor cores, which tasks share equally.

A task runs at the speed of one core while there are no more tasks than cores. With more tasks, all
of them share the cores equally (egalitarian processor sharing). All tasks have the same speed, so
one running total of work per task serves for all of them. A task ends when that total has grown by
the task's own work since its start.
"""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

from farm.plan.events import Clock


class Task:
    """Work that has begun. `Cores.cancel` ends it."""

    __slots__ = ("about", "done", "end")

    def __init__(self, end: float, done: Callable[[Any], None] | None, about: Any) -> None:
        self.end = end
        self.done = done
        self.about = about


class Cores:
    def __init__(self, clock: Clock, cores: float) -> None:
        self.cores = cores
        self._used_s = 0.0
        self._clock = clock
        self._tasks: list[tuple[float, int, Task]] = []
        self._order = count()
        self._running = 0
        #: The running total: seconds of work that a task from the start would have received.
        self._given = 0.0
        self._updated = 0.0
        self._alarm = 0

    @property
    def used_s(self) -> float:
        """Core-seconds of work done so far."""
        self._update()
        return self._used_s

    def work(self, seconds: float, done: Callable[[Any], None], about: Any) -> Task:
        """Begin a task of `seconds` core-seconds. `done(about)` is called when it ends."""
        self._update()
        task = Task(self._given + seconds, done, about)
        heapq.heappush(self._tasks, (task.end, next(self._order), task))
        self._running += 1
        self._set_alarm()
        return task

    def cancel(self, task: Task) -> None:
        """End a task without its `done`. Does nothing if it has ended."""
        if task.done is None:
            return
        self._update()
        task.done = None
        self._running -= 1
        self._set_alarm()

    def _update(self) -> None:
        passed = self._clock.now - self._updated
        self._updated = self._clock.now
        if self._running and passed:
            given = passed * min(1.0, self.cores / self._running)
            self._given += given
            self._used_s += given * self._running

    def _set_alarm(self) -> None:
        self._alarm += 1
        tasks = self._tasks
        while tasks and tasks[0][2].done is None:
            heapq.heappop(tasks)
        if tasks:
            left = max(0.0, tasks[0][0] - self._given)
            when = self._clock.now + left * max(1.0, self._running / self.cores)
            self._clock.at(when, self._end_first, self._alarm)

    def _end_first(self, alarm: int) -> None:
        if alarm != self._alarm:  # the tasks have changed since the alarm was set
            return
        self._update()
        task = heapq.heappop(self._tasks)[2]
        self._given = max(self._given, task.end)  # corrects rounding
        self._running -= 1
        done, task.done = task.done, None
        self._set_alarm()
        if done is not None:
            done(task.about)
