"""The engine: `RenderRequest` in, `RenderResult` or a `FarmError` out, for everything it accepts.

Request threads call `render` and wait on a future. A rendering waits in the line (`slots`) for a
slot, is taken by a browser (`host`), which `keeper` keeps up, and is rendered there (`page`).
`outcomes` decides what becomes of it from then on.

The deadline is kept from outside the browsers' threads: the request's thread answers when it has
passed.
"""

from concurrent.futures import TimeoutError as FutureTimeout

import structlog

from farm.egress import NO_PROXY, Egress, Port
from farm.errors import (
    BrowserDied,
    BrowserUnavailable,
    FarmError,
    RenderTimeout,
)
from farm.markdown import Converter
from farm.render.browser.chromium import find_chromium
from farm.render.browser.kept import Keeping
from farm.render.finishing import Finishing
from farm.render.keeping.escalation import exit_process
from farm.render.keeping.host import Counts, Host
from farm.render.keeping.keeper import START_TIMEOUT_S, Keeper
from farm.render.outcomes import STOPPING, Outcomes
from farm.render.page.caps import Caps
from farm.render.rendering import Rendering, State
from farm.render.slots import Slots
from farm.renderer import EngineStatus, RenderCancelled, Renderer
from farm.request import Limits, RenderRequest, RenderResult
from farm.settings import Settings

log = structlog.get_logger()

#: How long there may be no browser that answers before the health check says so.
_HEALTH_GRACE_S = 3.0


class Engine(Renderer[Rendering]):
    """A browser, its pages and the line before them. Start it after the fork."""

    def __init__(self, settings: Settings) -> None:
        """Finds the browser; raises `StartError`."""
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
            on_return=self._pump,
        )
        self._keeper = Keeper(
            self._make_host,
            on_up=self._pump,
            exit_process=exit_process,
            recycle_after=settings.recycle_after_renders,
            drain_s=self._deadline_s,
        )
        self._outcomes = Outcomes(
            self._slots,
            self._egress,
            Caps(
                settings.max_output_bytes,
                settings.max_pdf_pages,
                settings.max_page_height_px,
                settings.max_pixels,
            ),
            settings.settle_max_s,
            settings.deterministic_epoch,
            lambda: self._make_host(is_alone=True),
            self._pump,
        )
        self._finishing = Finishing(settings.max_output_bytes)
        self._converter = Converter()
        self._closing = False
        self._weight_of = settings.weight_of
        self.limits = Limits.of(settings)

    def start(self) -> None:
        """Start the egress proxy, the keeper, and so the browser; returns at once."""
        if not self._chromium.sandbox:
            log.warning("chromium runs without its sandbox", cause="FARM_CHROMIUM_SANDBOX=off")
        self._egress.start()
        self._keeper.start()

    def wait_started(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait for the first browser. Raises `StartError`, which says why there is none.

        The engine goes on trying after that, with a back-off.
        """
        self._keeper.wait_started(timeout_s)

    @property
    def chromium_pid(self) -> int | None:
        """Process id of the browser that takes renderings."""
        host = self._keeper.host
        return host.browser.pid if host else None

    @property
    def chromium_version(self) -> str | None:
        """Of the newest browser that was up; None before the first."""
        return self._keeper.version

    @property
    def egress_pid(self) -> int | None:
        """Process id of the egress proxy, which may not be up yet."""
        return self._egress.pid

    def open_port(self) -> Port:
        """A port of its egress proxy, for what the farm itself sends; to be closed by the caller.

        Raises `BrowserUnavailable`.
        """
        return self._egress.open_own()

    def admit(self, caller: str | None = None) -> None:
        """Raises `Busy` if the caller's render would be refused now: before its request is read."""
        self._slots.admit(self._deadline_s, caller or "", self._weight_of(caller))

    def begin(
        self,
        request: RenderRequest,
        request_id: str = "",
        caller: str | None = None,
        anew: bool = False,
        within_s: float | None = None,
    ) -> Rendering:
        """See `Renderer`. The deadline counts from here, the wait in line included; all that an
        engine renders is rendered anew.
        """
        deadline_s = self._deadline_s if within_s is None else min(within_s, self._deadline_s)
        rendering = Rendering(request, request_id, caller, deadline_s)
        if request.markdown is not None:
            printed = (file.options.pdf for file in request.files)
            # The stylesheet's margins would win.
            has_margins = not any(pdf and any(pdf.margins.values()) for pdf in printed)
            html = self._converter.convert(request.markdown, rendering.left_s, has_margins)
            # From here on it is a page of HTML as any other.
            changes = {"html": html, "markdown": None}
            request = rendering.request = request.model_copy(update=changes)
        self._outcomes.poison.check(request)
        displaced = self._slots.join(
            rendering, rendering.left_s, caller or "", self._weight_of(caller)
        )
        if displaced is not None:
            self._outcomes.displace(displaced.item, displaced.reason)
        # After joining: `close` empties the line once, after it has set this.
        if self._closing:
            self._slots.leave(rendering)
            raise BrowserUnavailable(STOPPING)
        self._pump()
        return rendering

    def wait(self, rendering: Rendering) -> RenderResult:
        try:
            result = rendering.answer.result(rendering.left_s)
        except FutureTimeout:
            self._outcomes.give_up(rendering, self._why_late(rendering))
            result = rendering.answer.result()
        return self._finishing.finish(result, rendering.request, rendering.left_s)

    def cancel(self, rendering: Rendering) -> None:
        """End it now, from any thread; nothing of it runs on."""
        self._outcomes.give_up(rendering, RenderCancelled())

    def check(self) -> None:
        """Raises `BrowserUnavailable` if it has not been able to render for a moment."""
        if self._egress.down_s > _HEALTH_GRACE_S:
            raise BrowserUnavailable(NO_PROXY)
        if self._keeper.unhealthy_s > _HEALTH_GRACE_S:
            raise BrowserUnavailable()

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
        """End at once: what still waits or runs gets `BrowserUnavailable`; nothing is left."""
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

    def _pump(self) -> None:
        """Give free slots to the next of the line, while they can be rendered. From any thread.

        Whatever may have made that possible calls it: a rendering that joins or ends, a browser or
        a proxy that is up.
        """
        while (
            (host := self._keeper.host) is not None
            and self._egress.is_up
            and (rendering := self._slots.take()) is not None
        ):
            host.take(rendering)

    def _why_late(self, rendering: Rendering) -> FarmError:
        if rendering.browser is None and rendering.tries:  # it was to be tried once more
            return BrowserDied()
        host = self._keeper.host
        browser = rendering.browser or (host.browser if host else None)
        if browser is None or browser.silence_s > _HEALTH_GRACE_S:
            return BrowserUnavailable()
        if host is not None and host.stalled_s > _HEALTH_GRACE_S:
            return BrowserUnavailable()
        no_turn = not rendering.tries and not self._egress.is_up
        if no_turn or self._egress.down_s > _HEALTH_GRACE_S:
            return BrowserUnavailable(NO_PROXY)
        if rendering.state is State.WAITING and not rendering.tries:
            # The callers that came after it had their turns.
            return RenderTimeout(f"The page had no turn within {self._deadline_s:g} s; try again.")
        return RenderTimeout(f"The page did not finish within {self._deadline_s:g} s.")


def _keeping(settings: Settings) -> Keeping | None:
    """What is kept of contexts; None: each render has one of its own."""
    if settings.isolation == "render":
        return None
    return Keeping(settings.pages_per_browser, settings.context_renders, settings.context_age_s)
