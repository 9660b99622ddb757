"""Whether a browser draws: its GPU process, which all pages share, is watched by what it does.

A page can give it work for minutes, which goes on when the page is gone. So it is asked for a
capture of a tiny page of the farm's own when there is reason to: renders are under way and none has
been captured for a while, or one was late. A capture that is not answered in time ends the GPU
process alone. Chromium starts another, and what waited for it is answered.

The page that did it would do it again. One that shows what may be why (`evidence`), or was there
at two deaths, is taken out and rendered again, alone (`quarantine`); so is one that has lost what
it drew by WebGL. The others go on. Where a page is alone, its browser is ended, and it is to blame.

Everything here runs in greenlets of the browser's thread, but for what says otherwise.
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
#: For how long no page may have been captured, while some are rendered, before there is reason to
#: ask. Asking costs 0.06 s of a processor, so where nothing happens it is asked ever more seldom,
#: up to the last.
_QUIET_S = 0.6
_LAST_QUIET_S = 5.0
#: What a capture of the tiny page may take. It takes 0.03 s, and beside a picture of 67 megapixels
#: 1.7 s on a machine with eight times as much to do as it can.
_TIMEOUT_S = 2.0
#: The same for one page alone, which few others wait for.
_ALONE_TIMEOUT_S = 3.0
#: What a page may take to show that it has many layers.
_LAYERS_S = 0.3
#: At so many deaths a page that was there each time is taken out.
_MAX_DEATHS = 2
#: After so many ends in a row the next is the browser's own.
_MAX_ENDS = 2
#: How long Chromium may take to start another GPU process.
_START_S = 5.0
_REASON = "it does not draw"


class DrawingWatch:
    """Of one browser that is up, from its start to its end."""

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
        #: When it was last seen that it draws, and after how long there is reason to ask again.
        self._proof = time.monotonic()
        self._quiet_s = _QUIET_S
        #: To be set when it is seen the next time.
        self._wanted: list[threading.Event] = []
        self._has_reason = False
        self._unanswered_since: float | None = None
        self._ends_in_a_row = 0
        self._killed = False
        #: Renderings whose pages are being asked whether they lost anything.
        self._examined: set[Rendering] = set()

    # ---- From any thread

    @property
    def stalled_s(self) -> float:
        """For how long it has not drawn, as far as that is known."""
        since = self._unanswered_since
        return 0.0 if since is None else time.monotonic() - since

    def note_late(self) -> None:
        """A render was given up, and may have left work behind."""
        self._has_reason = True

    def prove(self, timeout_s: float) -> bool:
        """Whether it draws now, with nothing left to do before."""
        seen = threading.Event()
        self._wanted.append(seen)
        self._has_reason = True
        return seen.wait(timeout_s)

    # ---- In the browser's thread

    def run(self) -> None:
        """Until the browser is gone."""
        self._find()
        while True:
            try:
                self._control.sleep(_TICK_S)
                self.look()
                if self._has_reason or self._is_quiet():
                    self._ask()
            except BrowserGone:
                return
            except DevToolsError as exc:  # the tiny page went: the next round makes another
                log.debug("drawing not watched", cause=first_line(exc))

    def note_picture(self) -> None:
        """A page was captured, so it draws."""
        self._proof = time.monotonic()
        self._quiet_s = _QUIET_S

    def look(self) -> None:
        """See whether the GPU process has died; if so, look after the pages."""
        if not self._gpu.has_died():
            return
        cause, self._killed = "killed" if self._killed else "died", False
        self._ends[cause] += 1
        log.warning("gpu process lost", cause=cause, chromium_pid=self._browser.pid)
        for rendering in self._present():
            rendering.gpu_deaths += 1
            self._examined.add(rendering)
            self._browser.spawn(partial(self._examine, rendering))
        self._browser.spawn(self._find)

    def kill(self, reason: str) -> None:
        """End what does too much: the GPU process, or the browser where one page is alone."""
        if self._is_alone:
            self._browser.kill(reason, pages_are_suspect=True)
            return
        log.warning("gpu process killed", reason=reason, chromium_pid=self._browser.pid)
        # Before it is killed: the next one would get the same layers at once.
        for rendering in self._present():
            self._browser.spawn(partial(self._examine_layers, rendering))
        self._control.sleep(_LAYERS_S)
        self._killed = True
        self._gpu.kill()
        self.look()

    def has_spoilt(self, rendering: Rendering) -> bool:
        """Whether the rendering's picture may lack what died with the GPU process."""
        self.look()
        while rendering in self._examined:
            self._control.sleep(_TICK_S / 4)
        return rendering.is_suspect

    def _present(self) -> list[Rendering]:
        return [each for each in self._renderings() if each.page is not None]

    def _is_quiet(self) -> bool:
        now = time.monotonic()
        entered = [each.entered for each in self._renderings()]
        if any(self._proof < each < now - _QUIET_S for each in entered):
            return True
        return bool(entered) and now - max(self._proof, min(entered)) > self._quiet_s

    def _ask(self) -> None:
        wanted, self._wanted = self._wanted, []
        self._has_reason = False
        try:
            with self._gpu.new_page() as page:
                self._unanswered_since = self._unanswered_since or time.monotonic()
                capture = page.begin("Page.captureScreenshot", {"format": "png"})
                capture.wait(_ALONE_TIMEOUT_S if self._is_alone else _TIMEOUT_S)
                draws = True
        except TimedOut:
            draws = False
        except DevToolsError:
            self._wanted += wanted
            self._has_reason = True
            raise
        if draws:
            self._unanswered_since = None
            self._proof = time.monotonic()
            self._quiet_s = min(2 * self._quiet_s, _LAST_QUIET_S)
            self._ends_in_a_row = 0
            for seen in wanted:
                seen.set()
            return
        self._wanted += wanted
        self._has_reason = True
        self._ends_in_a_row += 1
        if self._ends_in_a_row > _MAX_ENDS:
            self._browser.kill(_REASON)
        else:
            self.kill(_REASON)

    def _find(self) -> None:
        """The GPU process, which may just be starting."""
        end = time.monotonic() + _START_S
        with suppress(DevToolsError):
            self._gpu.find()
            while not self._gpu.is_known and time.monotonic() < end:
                self._control.sleep(0.05)
                self._gpu.find()

    def _examine_layers(self, rendering: Rendering) -> None:
        page = rendering.page
        if page is not None and has_many_layers(page, _LAYERS_S):
            self._take_out(rendering)

    def _examine(self, rendering: Rendering) -> None:
        """Take the rendering out if its page may be to blame, or has lost what it drew."""
        page = rendering.page
        is_suspect = self._is_alone or rendering.gpu_deaths >= _MAX_DEATHS
        if page is not None and (is_suspect or has_lost_webgl(self._control, page)):
            self._take_out(rendering)
        self._examined.discard(rendering)

    def _take_out(self, rendering: Rendering) -> None:
        page = rendering.page
        if page is not None and rendering.given_up is None and not rendering.is_suspect:
            rendering.is_suspect = True
            page.close()
