"""The farm's own request while it is put together from another service's fields."""

from dataclasses import dataclass, field
from typing import Any

from farm.errors import Problem
from farm.request import HTML_OR_URL, Limits, RenderRequest
from farm.web.compat.puppeteer.scripts import called, waited_for

#: What Puppeteer waits for a selector, a function or an event, unless it is told how long.
_WAIT_MS = 30_000


@dataclass
class Draft:
    """A request as `POST /render-async` takes it, and what is known only once all is there."""

    limits: Limits
    fields: dict[str, Any] = field(default_factory=dict, repr=False)
    #: Whether it goes on after a wait that has failed.
    best_attempt: bool = False
    #: Milliseconds for all of it, and for loading the page; None: nobody has said.
    timeout_ms: int | None = None
    load_ms: int | None = None
    #: The same for each wait.
    waits_ms: list[int | None] = field(default_factory=list)
    #: JavaScript and an event that are waited for.
    function: str | None = None
    event: str | None = None
    #: What cannot be done here, by the other service's names.
    problems: list[Problem] = field(default_factory=list)

    def set(self, path: str, value: Any) -> None:
        *folders, name = path.split(".")
        place = self.fields
        for folder in folders:
            if not isinstance(place.get(folder), dict):
                place[folder] = {}
            place = place[folder]
        place[name] = value

    def get(self, path: str) -> Any:
        """None: it is not there."""
        place: Any = self.fields
        for name in path.split("."):
            place = place.get(name) if isinstance(place, dict) else None
        return place

    def add(self, path: str, *values: Any) -> None:
        """To the list that is there."""
        self.set(path, [*(self.get(path) or ()), *values])

    def refuse(self, name: str, problem: str) -> None:
        """Note what is wrong with a field of the other service's."""
        self.problems.append(Problem(name, problem))

    def need(self, selector: str) -> None:
        """It is an error if nothing matches, once all else has been waited for."""
        self.add("options.scripts", called("needed.js", selector))

    def wait(self, timeout_ms: int | None) -> None:
        """Note that something is waited for, for so long; 0: without an end."""
        self.waits_ms.append(timeout_ms)

    @property
    def limit_ms(self) -> int:
        """How long it may take altogether."""
        asked = [ms for ms in (self.timeout_ms, self._parts_ms) if ms is not None and ms > 0]
        return min([self.limits.deadline_ms, *asked])

    @property
    def _parts_ms(self) -> int | None:
        """What its steps may take together, where it is said what loading may take."""
        if not self.load_ms:
            return None
        return self.load_ms + sum(self._each_ms) + int(self.get("options.waitFor") or 0)

    @property
    def _each_ms(self) -> list[int]:
        """How long each wait may take."""
        deadline_ms = self.limits.deadline_ms
        return [_WAIT_MS if ms is None else ms or deadline_ms for ms in self.waits_ms]

    def request(self) -> RenderRequest:
        """Raises `InvalidRequest`, `InvalidUrl` or `OutputTooLarge`, by the farm's own names."""
        if self.function is not None or self.event is not None:
            text = waited_for(self.function, self.event, forgives=self.best_attempt)
            self.set("options.waitForFunction", text)
        if self.limit_ms < self.limits.deadline_ms:
            self.set("options.timeout", self.limit_ms)
        longest_ms = max(self._each_ms, default=self.limits.deadline_ms)
        if longest_ms < self.limits.deadline_ms:
            self.set("options.waitTimeout", longest_ms)
        if self.best_attempt:
            self.set("options.onTimeout", "capture")
        return RenderRequest.from_fields(self.fields, HTML_OR_URL, self.limits)
