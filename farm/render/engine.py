"""The engine: takes a `RenderRequest`, and returns a `RenderResult` or raises a `FarmError`.

Request and job threads call `render`, or `begin` and `wait`, and wait on a future. A rendering
waits for a slot (`slots`), and is then rendered by a browser (`keeping.host`, `page`), which
`keeping.keeper` starts and restarts. `outcomes` decides what becomes of the rendering.

The waiting thread enforces the deadline, and answers when it has passed. So a browser's thread that
hangs delays no answer.
"""

from concurrent.futures import TimeoutError as FutureTimeout

import structlog

from farm.egress import Egress, Port
from farm.errors import BrowserUnavailable
from farm.markdown import Converter
from farm.render.attempt import Attempts
from farm.render.browser.chromium import find_chromium
from farm.render.browser.kept import Keeping
from farm.render.finishing import Finishing
from farm.render.health import Health
from farm.render.keeping.escalation import exit_process
from farm.render.keeping.host import Counts, Host
from farm.render.keeping.keeper import START_TIMEOUT_S, Keeper
from farm.render.outcomes import STOPPING, Outcomes
from farm.render.page.caps import Caps
from farm.render.rendering import Rendering
from farm.render.slots import Slots
from farm.renderer import EngineStatus, RenderCancelled, Renderer
from farm.request import Limits, RenderRequest, RenderResult
from farm.settings import Settings

log = structlog.get_logger()


class Engine(Renderer[Rendering]):
    """A browser, its pages, and the queue before them. Start it after the process has forked."""

    def __init__(self, settings: Settings) -> None:
        """Raises `StartError` if there is no browser."""
        self._deadline_s = settings.render_deadline_s
        self._spares = settings.spare_contexts
        self._memory_bytes = settings.browser_memory_mb << 20
        self._slots: Slots[Rendering] = Slots(
            settings.pages_per_browser, settings.max_waiting, settings.pages_at_once
        )
        self._counts = Counts()
        self._keeping = _keeping(settings)
        self._chromium = find_chromium(settings)
        self._egress = Egress(
            settings.egress_policy,
            self._chromium.user,
            settings.egress_max_connections,
            settings.egress_max_bytes,
            on_death=lambda: self._outcomes.network_lost(),
            on_return=self._dispatch,
        )
        self._keeper = Keeper(
            self._make_host,
            on_up=self._dispatch,
            exit_process=exit_process,
            recycle_after=settings.recycle_after_renders,
            drain_s=self._deadline_s,
        )
        self._health = Health(self._keeper, self._egress, self._deadline_s)
        caps = Caps(
            settings.max_output_bytes,
            settings.max_pdf_pages,
            settings.max_page_height_px,
            settings.max_pixels,
        )
        self._outcomes = Outcomes(
            self._slots,
            Attempts(self._egress, caps, settings.settle_max_s, settings.deterministic_epoch),
            lambda: self._make_host(is_alone=True),
            self._dispatch,
        )
        self._finishing = Finishing(settings.max_output_bytes)
        self._converter = Converter()
        self._closing = False
        self._weight_of = settings.weight_of
        self.limits = Limits.of(settings)

    def start(self) -> None:
        """Start the egress proxy and the keeper, which starts the browser. Returns at once."""
        if not self._chromium.sandbox:
            log.warning("chromium runs without its sandbox", cause="FARM_CHROMIUM_SANDBOX=off")
        self._egress.start()
        self._keeper.start()

    def wait_started(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait for the first browser. Raises `StartError`, which says why there is none.

        After an error the engine continues to try, with a back-off.
        """
        self._keeper.wait_started(timeout_s)

    @property
    def chromium_pid(self) -> int | None:
        """The process id of the browser that takes renderings."""
        host = self._keeper.host
        return host.browser.pid if host else None

    @property
    def chromium_version(self) -> str | None:
        """The version of the newest browser that was up. None before the first one is."""
        return self._keeper.version

    @property
    def egress_pid(self) -> int | None:
        """The process id of the egress proxy, which may not be up yet."""
        return self._egress.pid

    def open_port(self) -> Port:
        """A port of the egress proxy for the farm's own requests. The caller must close it.

        Raises `BrowserUnavailable`.
        """
        return self._egress.open_own()

    def admit(self, caller: str | None = None) -> None:
        """Raises `Busy` if the caller's render would be refused now.

        Called before the request's body is read.
        """
        self._slots.admit(self._deadline_s, caller or "", self._weight_of(caller))

    def begin(
        self,
        request: RenderRequest,
        request_id: str = "",
        caller: str | None = None,
        anew: bool = False,
        within_s: float | None = None,
    ) -> Rendering:
        """See `Renderer`. The deadline counts from this call, and includes the wait in the queue.

        `anew` has no effect, since the engine has no cache.
        """
        deadline_s = self._deadline_s if within_s is None else min(within_s, self._deadline_s)
        rendering = Rendering(request, request_id, caller, deadline_s)
        if request.markdown is not None:
            printed = (file.options.pdf for file in request.files)
            # The margins of the style sheet would override those of the request.
            has_margins = not any(pdf and any(pdf.margins.values()) for pdf in printed)
            html = self._converter.convert(request.markdown, rendering.left_s, has_margins)
            # From here on the page is HTML like any other.
            changes = {"html": html, "markdown": None}
            request = rendering.request = request.model_copy(update=changes)
        self._outcomes.poison.check(request)
        displaced = self._slots.join(
            rendering, rendering.left_s, caller or "", self._weight_of(caller)
        )
        if displaced is not None:
            self._outcomes.displace(displaced.item, displaced.reason)
        # Checked after joining: `close` empties the queue once, after it has set this flag.
        if self._closing:
            self._slots.remove_waiting(rendering)
            raise BrowserUnavailable(STOPPING)
        self._dispatch()
        return rendering

    def wait(self, rendering: Rendering) -> RenderResult:
        try:
            result = rendering.answer.result(rendering.left_s)
        except FutureTimeout:
            self._outcomes.give_up(rendering, self._health.why_late(rendering))
            result = rendering.answer.result()
        return self._finishing.finish(result, rendering.request, rendering.left_s)

    def cancel(self, rendering: Rendering) -> None:
        """End the rendering at once. Any thread may call this."""
        self._outcomes.give_up(rendering, RenderCancelled())

    def check(self) -> None:
        """Raises `BrowserUnavailable` if the engine could not render for the last seconds."""
        self._health.check()

    @property
    def status(self) -> EngineStatus:
        host = self._keeper.host
        return EngineStatus(
            up=host is not None,
            pages=self._slots.slots,
            rendering=self._slots.running,
            max_waiting=self._slots.max_waiting,
            waiting=self._slots.waiting,
            spares=host.spares if host else 0,
            restart_causes=dict(self._keeper.restarts),
            browser_recycles=self._keeper.recycles,
            retries=self._outcomes.retries,
            late_pages=dict(self._outcomes.escalation.ended),
            gpu_ends=dict(self._counts.gpu_ends),
            kept_contexts=host.kept if host else 0,
            context_ends=dict(self._counts.context_ends),
            memory_bytes=host.memory_bytes if host else 0,
        )

    def close(self) -> None:
        """End all renderings with `BrowserUnavailable`, and all processes, at once."""
        self._closing = True
        self._outcomes.close()
        self._keeper.close()
        self._converter.close()
        self._egress.close()

    def _make_host(self, is_alone: bool = False) -> Host:
        return Host(
            self._chromium,
            self._egress,
            0 if is_alone else self._spares,
            self._memory_bytes,
            self._outcomes,
            self._counts,
            None if is_alone else self._keeping,
            is_alone,
        )

    def _dispatch(self) -> None:
        """Give free slots to waiting renderings, as long as a browser and the proxy are up.

        Called from any thread, after every event that may make this possible: a rendering joins or
        ends, or a browser or the proxy is up.
        """
        while (
            (host := self._keeper.host) is not None
            and self._egress.is_up
            and (rendering := self._slots.take()) is not None
        ):
            host.take(rendering)


def _keeping(settings: Settings) -> Keeping | None:
    """The limits of kept browser contexts. None: each render has a context of its own."""
    if settings.isolation == "render":
        return None
    return Keeping(settings.pages_per_browser, settings.context_renders, settings.context_age_s)
