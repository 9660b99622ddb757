"""The farm's own request while it is built from another service's fields."""

from dataclasses import dataclass, field
from typing import Any

from farm.errors import Problem
from farm.request import HTML_OR_URL, Limits, RenderRequest
from farm.web.compat.puppeteer.scripts import called, waited_for

#: How long Puppeteer waits for a selector, a function or an event by default.
_WAIT_MS = 30_000


@dataclass
class Draft:
    """The fields of `POST /render-async`, and facts that affect several of them."""

    limits: Limits
    fields: dict[str, Any] = field(default_factory=dict, repr=False)
    #: Whether the render goes on after a wait has failed.
    best_attempt: bool = False
    #: Milliseconds for the whole render, and for loading the page. None if they are not set.
    timeout_ms: int | None = None
    load_ms: int | None = None
    #: The time of each wait, in the same form.
    waits_ms: list[int | None] = field(default_factory=list)
    #: JavaScript to wait for, and an event to wait for.
    function: str | None = None
    event: str | None = None
    #: What is not possible here, by the other service's names.
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
        """None if there is nothing at the path."""
        place: Any = self.fields
        for name in path.split("."):
            place = place.get(name) if isinstance(place, dict) else None
        return place

    def add(self, path: str, *values: Any) -> None:
        """Append to the list at the path."""
        self.set(path, [*(self.get(path) or ()), *values])

    def refuse(self, name: str, problem: str) -> None:
        """Note what is wrong with a field of the other service."""
        self.problems.append(Problem(name, problem))

    def need(self, selector: str) -> None:
        """Fail the render if the selector matches nothing after all waits."""
        self.add("options.scripts", called("needed.js", selector))

    def wait(self, timeout_ms: int | None) -> None:
        """Note that the page waits for something, for so long; 0 means without a limit."""
        self.waits_ms.append(timeout_ms)

    @property
    def limit_ms(self) -> int:
        """The time for the whole render."""
        asked = [ms for ms in (self.timeout_ms, self._parts_ms) if ms is not None and ms > 0]
        return min([self.limits.deadline_ms, *asked])

    @property
    def _parts_ms(self) -> int | None:
        """The time for all steps together, if the time for loading is set."""
        if not self.load_ms:
            return None
        return self.load_ms + sum(self._each_ms) + int(self.get("options.waitFor") or 0)

    @property
    def _each_ms(self) -> list[int]:
        """The time of each wait."""
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
