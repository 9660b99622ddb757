"""The backends that render for the tools: a farm at a URL, or an engine in this process.

`server` calls a backend in a thread for each call of a tool. `farm.commands.renderers` has similar
classes for commands. Those render without cancellation, return the file only, and start their
engine before the first render.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from farm.client import Farm
from farm.errors import BrowserUnavailable, StartError

if TYPE_CHECKING:
    from farm.render import Engine

_STOPPING = "The MCP server is stopping."
_CANCELLED = "The agent has cancelled the call."
_NO_SERVER = (
    "The MCP server has no engine of its own: pip install 'render-farm[server]', or start it with "
    "--farm URL."
)


@dataclass(frozen=True)
class Rendered:
    """A rendered file, and the facts about its page."""

    data: bytes
    format: str
    content_type: str
    width: int
    height: int
    #: The other facts of a JSON answer of the farm, by their names there.
    facts: Mapping[str, Any] = field(default_factory=dict)


class Backend(Protocol):
    """Renders requests. Several threads may call it at the same time."""

    def render(self, fields: dict[str, Any], cancelled: Future[None]) -> Rendered:
        """Render a request. Raises `FarmError`.

        `fields`: the request as in the JSON body of `POST /render`. `cancelled`: is done when the
        agent has cancelled the call.
        """

    def close(self) -> None:
        """End all renders and all processes."""


class OwnEngine:
    """An engine with the environment's settings. The first render starts it."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        #: Set before the engine is started, so that `close` can end it during the start.
        self._engine: Engine | None = None
        self._is_up = False
        self._is_closed = False

    def render(self, fields: dict[str, Any], cancelled: Future[None]) -> Rendered:
        engine = self._started()
        from farm.renderer import RenderCancelled
        from farm.request import HTML_OR_URL, RenderRequest

        if cancelled.done():
            raise BrowserUnavailable(_CANCELLED)
        rendering = engine.begin(RenderRequest.from_fields(fields, HTML_OR_URL, engine.limits))
        # Without this, the page would keep its slot in the browser until its deadline.
        cancelled.add_done_callback(lambda _: engine.cancel(rendering))
        try:
            result = engine.wait(rendering)
        except RenderCancelled as exc:
            raise BrowserUnavailable(_CANCELLED) from exc
        facts = dict(result.facts)
        if result.refusals:
            facts["blocked"] = result.blocked
        if result.unfinished:
            facts["unfinished"] = result.left_out
        format_ = result.format
        return Rendered(
            result.data, format_.name, format_.media_type, result.width, result.height, facts
        )

    def close(self) -> None:
        self._is_closed = True
        if self._engine is not None:
            self._engine.close()

    def _started(self) -> Engine:
        """The engine, started. Raises `BrowserUnavailable`, which names the remedy."""
        try:
            from farm import logs
            from farm.render import Engine
            from farm.settings import Settings
        except ModuleNotFoundError as exc:
            raise BrowserUnavailable(_NO_SERVER) from exc

        with self._starting:
            if self._engine is not None and self._is_up:
                return self._engine
            try:
                settings = Settings.from_environment()
                logs.configure(settings.model_copy(update={"log_level": "error"}))
                engine = self._engine = Engine(settings)
                if self._is_closed:
                    raise BrowserUnavailable(_STOPPING)
                engine.start()
                engine.wait_started()
            except StartError as exc:
                if self._engine is not None:
                    self._engine.close()
                    self._engine = None
                raise BrowserUnavailable(f"The engine cannot start. {exc}") from exc
            self._is_up = True
            return engine


class RemoteFarm:
    """A farm at a URL, called over HTTP."""

    def __init__(self, url: str, key: str | None) -> None:
        """Raises `FarmError` for a URL or a key that is not valid."""
        self._farm = Farm(url, key)

    def render(self, fields: dict[str, Any], cancelled: Future[None]) -> Rendered:
        """Render a request. The farm renders to the end even if the call is cancelled."""
        found = self._farm.post(fields)
        facts = {
            "title": found.title,
            "finalUrl": found.final_url,
            "status": found.status,
            "pages": found.pages,
            "timedOut": found.timed_out,
            "blocked": found.blocked,
            "unfinished": found.unfinished,
            "report": found.report,
        }
        told = {name: value for name, value in facts.items() if value}
        return Rendered(
            found.data, found.format, found.content_type, found.width, found.height, told
        )

    def close(self) -> None:
        self._farm.close()
