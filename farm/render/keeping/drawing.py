"""Watches whether a browser draws: whether its GPU process, which all pages share, still answers.

A page can give the GPU process work for minutes, and the work goes on after the page is closed. So
the watch captures a tiny page of the farm's own when there is reason to: renders are running and
none has been captured for a while, or one was late. If that capture is not answered in time, the
watch kills the GPU process alone. Chromium starts another, which answers the captures that were
waiting.

The page that caused this would cause it again. A page that shows signs of being the cause
(`evidence`), or that was present at two deaths of the GPU process, is closed and rendered again,
alone (`quarantine`). So is a page that has lost what it drew with WebGL. The other pages go on. In
a browser with one page only, the browser is killed, and the page is to blame.

The methods run in greenlets of the browser's thread, except those marked as callable from any
thread.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

import structlog

from farm.logs import first_line
from farm.render.browser.devtools import BrowserGone, DevToolsError, Session, TimedOut
from farm.render.browser.gpu import GpuProcess
from farm.render.browser.thread import BrowserThread
from farm.render.keeping.evidence import has_lost_webgl, has_many_layers
from farm.render.rendering import Rendering

log = structlog.get_logger()

_TICK_S = 0.1
#: The time without a capture, while renders run, after which there is reason to probe. A probe
#: costs 0.06 s of a processor, so the time doubles after each probe that is answered, up to
#: `_LAST_QUIET_S`.
_QUIET_S = 0.6
_LAST_QUIET_S = 5.0
#: The time that the capture of the tiny page may take. It takes 0.03 s, and 1.7 s beside a picture
#: of 67 megapixels on a machine with eight times as much work as it can do.
_TIMEOUT_S = 2.0
#: The same for a browser with one page only, for which few renders wait.
_ALONE_TIMEOUT_S = 3.0
#: If other programs leave the browser little processor time, everything takes longer. So the
#: capture may take so many times as long as making the page took, up to `_MAX_TIMEOUT_S`. Making it
#: needs twice the processor time of the capture, and no GPU process.
_CAPTURE_BY_MAKING = 5
_MAX_TIMEOUT_S = 10.0
#: The time in which a page must say whether it has many layers.
_LAYERS_S = 0.3
#: A page that was present at so many deaths of the GPU process is withdrawn.
_MAX_DEATHS = 2
#: After more kills of the GPU process in a row, the browser itself is killed.
_MAX_KILLS = 2
#: The same after more of the watch's pages in a row that could not be made in time.
_MAX_UNMADE = 2
#: The time that Chromium may take to start another GPU process.
_START_S = 5.0
_REASON = "it does not draw"


class DrawingWatch:
    """The watch of one browser, from its start to its end."""

    def __init__(
        self,
        control: Session,
        browser: BrowserThread,
        renderings: Callable[[], Collection[Rendering]],
        is_alone: bool,
        ends: Counter[str],
    ) -> None:
        """`is_alone`: the browser renders one page at a time. `ends` counts the GPU processes that
        were lost: `died`, or `killed` by the farm.
        """
        self._control = control
        self._browser = browser
        self._renderings = renderings
        self._is_alone = is_alone
        self._ends = ends
        self._gpu = GpuProcess(control)
        #: When it was last seen to draw, and after how long without a capture there is reason to
        #: probe.
        self._last_drawn = time.monotonic()
        self._quiet_s = _QUIET_S
        #: Events to set at the next proof that it draws.
        self._waiting_for_proof: list[threading.Event] = []
        self._should_probe = False
        self._unanswered_since: float | None = None
        self._kills_in_a_row = 0
        self._unmade_in_a_row = 0
        self._killed = False
        #: Renderings whose pages are being asked whether they have lost anything.
        self._examined: set[Rendering] = set()

    # ---- From any thread

    @property
    def stalled_s(self) -> float:
        """The seconds for which it has not drawn, as far as that is known."""
        since = self._unanswered_since
        return 0.0 if since is None else time.monotonic() - since

    def note_late(self) -> None:
        """A render was given up, and may have left work behind. Probe soon."""
        self._should_probe = True

    def probe(self, timeout_s: float) -> bool:
        """Probe now; returns whether the GPU process draws and has no older work left."""
        proven = threading.Event()
        self._waiting_for_proof.append(proven)
        self._should_probe = True
        return proven.wait(timeout_s)

    # ---- In the browser's thread

    def run(self) -> None:
        """Watch until the browser is gone."""
        self._find()
        while True:
            try:
                self._control.sleep(_TICK_S)
                self.look()
                if self._should_probe or self._is_overdue():
                    self._probe()
            except BrowserGone:
                return
            except DevToolsError as exc:  # the tiny page is gone: the next round makes another
                log.debug("drawing not watched", cause=first_line(exc))

    def note_picture(self) -> None:
        """A page was captured, so the GPU process draws."""
        self._last_drawn = time.monotonic()
        self._quiet_s = _QUIET_S

    def look(self) -> None:
        """Check whether the GPU process has died; if so, examine the pages."""
        if not self._gpu.has_died():
            return
        cause, self._killed = "killed" if self._killed else "died", False
        self._ends[cause] += 1
        log.warning("gpu process lost", cause=cause, chromium_pid=self._browser.pid)
        for rendering in self._with_pages():
            rendering.gpu_deaths += 1
            self._examined.add(rendering)
            self._browser.spawn(partial(self._examine, rendering))
        self._browser.spawn(self._find)

    def kill(self, reason: str) -> None:
        """Kill the GPU process, or the browser if it renders one page only."""
        if self._is_alone:
            self._browser.kill(reason, pages_are_suspect=True)
            return
        log.warning("gpu process killed", reason=reason, chromium_pid=self._browser.pid)
        # Before the kill: the next GPU process would get the same layers at once.
        for rendering in self._with_pages():
            self._browser.spawn(partial(self._examine_layers, rendering))
        self._control.sleep(_LAYERS_S)
        self._killed = True
        self._gpu.kill()
        self.look()

    def may_have_spoilt(self, rendering: Rendering) -> bool:
        """Whether the picture may lack something that was lost with the GPU process."""
        self.look()
        while rendering in self._examined:
            self._control.sleep(_TICK_S / 4)
        return rendering.is_suspect

    def _with_pages(self) -> list[Rendering]:
        return [each for each in self._renderings() if each.page is not None]

    def _is_overdue(self) -> bool:
        now = time.monotonic()
        entered = [each.assigned for each in self._renderings()]
        if any(self._last_drawn < each < now - _QUIET_S for each in entered):
            return True
        return bool(entered) and now - max(self._last_drawn, min(entered)) > self._quiet_s

    def _probe(self) -> None:
        wanted, self._waiting_for_proof = self._waiting_for_proof, []
        self._should_probe = False
        began = time.monotonic()
        try:
            with self._gpu.new_page() as page:
                is_drawing = self._is_captured(page, time.monotonic() - began)
        except DevToolsError as exc:
            self._waiting_for_proof += wanted
            self._should_probe = True
            self._unmade_in_a_row += isinstance(exc, TimedOut)
            if self._unmade_in_a_row > _MAX_UNMADE:
                self._browser.kill("it makes no page")
            raise
        self._unmade_in_a_row = 0
        if is_drawing:
            self._unanswered_since = None
            self._last_drawn = time.monotonic()
            self._quiet_s = min(2 * self._quiet_s, _LAST_QUIET_S)
            self._kills_in_a_row = 0
            for proven in wanted:
                proven.set()
            return
        self._waiting_for_proof += wanted
        self._should_probe = True
        self._kills_in_a_row += 1
        if self._kills_in_a_row > _MAX_KILLS:
            self._browser.kill(_REASON)
        else:
            self.kill(_REASON)

    def _is_captured(self, page: Session, made_s: float) -> bool:
        """Whether the page, which was made in `made_s` seconds, is captured in time."""
        self._unanswered_since = self._unanswered_since or time.monotonic()
        capture = page.begin("Page.captureScreenshot", {"format": "png"})
        try:
            capture.wait(capture_timeout_s(made_s, self._is_alone))
        except TimedOut:
            return False
        return True

    def _find(self) -> None:
        """Find the GPU process, which may just be starting."""
        end = time.monotonic() + _START_S
        with suppress(DevToolsError):
            self._gpu.find()
            while not self._gpu.is_known and time.monotonic() < end:
                self._control.sleep(0.05)
                self._gpu.find()

    def _examine_layers(self, rendering: Rendering) -> None:
        page = rendering.page
        if page is not None and has_many_layers(page, _LAYERS_S):
            self._withdraw(rendering)

    def _examine(self, rendering: Rendering) -> None:
        """Withdraw the rendering if its page may be the cause, or has lost what it drew."""
        page = rendering.page
        is_suspect = self._is_alone or rendering.gpu_deaths >= _MAX_DEATHS
        if page is not None and (is_suspect or has_lost_webgl(self._control, page)):
            self._withdraw(rendering)
        self._examined.discard(rendering)

    def _withdraw(self, rendering: Rendering) -> None:
        page = rendering.page
        if page is not None and rendering.given_up is None and not rendering.is_suspect:
            rendering.is_suspect = True
            page.close()


def capture_timeout_s(made_s: float, is_alone: bool) -> float:
    """The time that the capture of a page may take, which was made in `made_s` seconds."""
    usual_s = _ALONE_TIMEOUT_S if is_alone else _TIMEOUT_S
    return max(usual_s, min(_CAPTURE_BY_MAKING * made_s, _MAX_TIMEOUT_S))
