"""Who renders for the tools: a farm at a URL, or an engine in this process."""

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
    """A file and what is known of it."""

    data: bytes
    format: str
    content_type: str
    width: int
    height: int
    #: What a JSON answer of the farm tells besides, by its names there.
    facts: Mapping[str, Any] = field(default_factory=dict)


class Backend(Protocol):
    """Renders requests; from any thread, several at a time."""

    def render(self, fields: dict[str, Any], cancelled: Future[None]) -> Rendered:
        """`fields`: a request, as `POST /render` takes it as JSON. Raises `FarmError`.

        `cancelled` is done when nobody wants the file any more.
        """

    def close(self) -> None:
        """End what runs, and leave no process."""


class OwnEngine:
    """An engine with the settings of the environment; the first render starts it."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        #: There from before it is started, so that `close` can end it meanwhile.
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
        # Otherwise the page would keep its place in the browser until its deadline.
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
        """Raises `BrowserUnavailable`, which says what to mend."""
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
    """A farm elsewhere, over HTTP."""

    def __init__(self, url: str, key: str | None) -> None:
        """Raises `FarmError` for a URL or a key that cannot be right."""
        self._farm = Farm(url, key)

    def render(self, fields: dict[str, Any], cancelled: Future[None]) -> Rendered:
        """The farm renders to the end, whether the call is cancelled or not."""
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
