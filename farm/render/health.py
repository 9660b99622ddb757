"""Decides whether the engine can render, and why a render was too late.

`engine` calls it in request and job threads: `check` for health checks, and `why_late` after a
deadline.
"""

from farm.egress import NO_PROXY, Egress
from farm.errors import BrowserDied, BrowserUnavailable, FarmError, RenderTimeout
from farm.render.keeping.keeper import Keeper
from farm.render.rendering import Rendering, State

#: How long the browser or the proxy may be down before that counts as a fault.
_GRACE_S = 3.0


class Health:
    def __init__(self, keeper: Keeper, egress: Egress, deadline_s: float) -> None:
        """`deadline_s`: the engine's deadline of a render."""
        self._keeper = keeper
        self._egress = egress
        self._deadline_s = deadline_s

    def check(self) -> None:
        """Raises `BrowserUnavailable` if the engine could not render for the last seconds."""
        if self._egress.down_s > _GRACE_S:
            raise BrowserUnavailable(NO_PROXY)
        if self._keeper.unhealthy_s > _GRACE_S:
            raise BrowserUnavailable()

    def why_late(self, rendering: Rendering) -> FarmError:
        """The error of a rendering that has not ended by its deadline."""
        if rendering.browser is None and rendering.tries:  # it was waiting for its retry
            return BrowserDied()
        host = self._keeper.host
        browser = rendering.browser or (host.browser if host else None)
        if browser is None or browser.silence_s > _GRACE_S:
            return BrowserUnavailable()
        if host is not None and host.stalled_s > _GRACE_S:
            return BrowserUnavailable()
        waits_for_proxy = not rendering.tries and not self._egress.is_up
        if waits_for_proxy or self._egress.down_s > _GRACE_S:
            return BrowserUnavailable(NO_PROXY)
        if rendering.state is State.WAITING and not rendering.tries:
            # Other callers' renders had their turns.
            return RenderTimeout(f"The page had no turn within {self._deadline_s:g} s; try again.")
        return RenderTimeout(f"The page did not finish within {self._deadline_s:g} s.")
