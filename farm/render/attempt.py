"""One try at a rendering: renders it in a page of a host, and finds out why that has failed.

`outcomes` calls `Attempts.render` in a greenlet of the browser's thread, and decides by its `End`
what becomes of the rendering.
"""

import time
from dataclasses import dataclass

import structlog

from farm.egress import Egress
from farm.errors import BrowserUnavailable, FarmError, InternalError, NoPort, PageCrashes
from farm.logs import first_line
from farm.render.browser.devtools import DevToolsError
from farm.render.keeping.host import Host
from farm.render.page import render as page_render
from farm.render.page.caps import Caps
from farm.render.page.settling import Patience
from farm.render.page.time_limit import capture_s
from farm.render.rendering import Rendering
from farm.renderer import RenderCancelled

log = structlog.get_logger()


class _NetworkLost(Exception):
    """The egress proxy has died or hangs, so the picture may lack anything."""


class _DrawingLost(Exception):
    """The GPU process has died. The page has lost what it drew, or may be the cause."""


@dataclass(frozen=True)
class End:
    """How a try has ended, unless it has answered."""

    #: What to answer. None: the rendering has lost its browser or its network.
    error: BaseException | None = None
    #: The rendering is known not to have killed the browser.
    innocent: bool = False


class Attempts:
    """The tries of all renderings."""

    def __init__(self, egress: Egress, caps: Caps, settle_max_s: float, epoch_s: float) -> None:
        """`settle_max_s`, `epoch_s`: see `Patience`."""
        self._egress = egress
        self._caps = caps
        self._settle_max_s = settle_max_s
        self._epoch_s = epoch_s

    def render(self, rendering: Rendering, host: Host) -> End:
        """Render it in a page of the host. Answers it if that succeeds."""
        try:
            self._render(rendering, host)
        except NoPort as exc:
            return End(exc)
        except (_NetworkLost, BrowserUnavailable):
            return End(innocent=True)
        except _DrawingLost:
            pass
        except (FarmError, RenderCancelled) as exc:
            return End(exc)
        except DevToolsError as exc:
            innocent = rendering.page is None
            return End(self._translate(exc, rendering, host), innocent)
        except BaseException as exc:
            return End(_internal(exc, rendering))
        return End()

    def _render(self, rendering: Rendering, host: Host) -> None:
        pages, drawing = host.pages, host.drawing
        if pages is None or drawing is None:
            raise BrowserUnavailable()
        options = rendering.request.options
        waiting_ms = (time.monotonic() - rendering.arrived) * 1000
        latest, deadline = self._latest(rendering), rendering.deadline
        patience = Patience(self._settle_max_s, latest, deadline, self._epoch_s)
        with pages.page(options.width, options.height, rendering.caller) as page:
            rendering.page = page
            rendering.tries += 1
            if rendering.given_up is not None:
                raise rendering.given_up
            if not page.port.alive:  # the proxy died before `network_lost` could know of the page
                raise _NetworkLost
            try:
                result = page_render.render(
                    page, rendering.request, self._caps, patience, waiting_ms
                )
            finally:
                # Even if the render raised: a dead browser or proxy may be the real cause.
                if rendering.given_up is None:
                    host.browser.kill_if_crippled()
                    if not page.port.alive:
                        raise _NetworkLost
                    if drawing.may_have_spoilt(rendering):
                        raise _DrawingLost
            if any(file.format.is_picture for file in result.parts or (result,)):
                drawing.note_picture()
            # The page may lack something because of the proxy, not because of the site.
            if result.unfinished and self._egress.down_s > 0:
                raise _NetworkLost
            # The answer is delivered before the context is closed.
            rendering.deliver(result)

    def _latest(self, rendering: Rendering) -> float:
        """When the capture must begin so that the answer is there by the deadline."""
        allowed_s = rendering.deadline - rendering.arrived
        return rendering.deadline - capture_s(allowed_s, len(rendering.request.files))

    def _translate(
        self, exc: BaseException, rendering: Rendering, host: Host
    ) -> FarmError | RenderCancelled | None:
        """Map what the browser's calls raise to the caller's error.

        None means retry: the browser is gone, or the page's process died before it was used.
        """
        if rendering.given_up is not None:
            return rendering.given_up
        try:
            host.browser.ping()
        except BrowserUnavailable:
            return None
        page = rendering.page
        if page is None:
            rendering.tries += 1
            return None
        if not page.died:
            return _internal(exc, rendering)
        error = PageCrashes()
        error.__cause__ = exc
        return error


def _internal(cause: BaseException, rendering: Rendering) -> InternalError:
    # This may be the browser's thread, where no request id is bound to the log.
    log.error(
        "render failed", request_id=rendering.request_id, cause=first_line(cause), exc_info=cause
    )
    error = InternalError()
    error.__cause__ = cause
    return error
