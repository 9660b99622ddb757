"""The GPU process, which draws and captures for all pages of a browser.

What a page has it do goes on there when the page is gone. It can be ended alone: Chromium starts
another, captures that were under way are answered from that one, and the pages go on, but for what
they had drawn by WebGL.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from farm.processes import is_exiting
from farm.render.browser.devtools import DevToolsError, Params, Session

#: Chromium's name for it (SystemInfo.getProcessInfo).
_TYPE = "GPU"
#: What a step of making the farm's own page may take.
_PAGE_S = 10.0


class GpuProcess:
    """Of one browser. Use it in greenlets of the browser's thread."""

    def __init__(self, browser: Session) -> None:
        self._browser = browser
        self._pid: int | None = None

    @property
    def is_known(self) -> bool:
        return self._pid is not None

    def find(self) -> None:
        """Look which process it is. Raises `DevToolsError`."""
        processes = self._browser.send("SystemInfo.getProcessInfo")["processInfo"]
        pids = [each["id"] for each in processes if each["type"] == _TYPE]
        # One that is gone is named until Chromium has noticed.
        self._pid = next((pid for pid in pids if not is_exiting(pid)), None)

    def has_died(self) -> bool:
        """Whether the one that was found last is gone: true once, then `find` the next."""
        if self._pid is None or not is_exiting(self._pid):
            return False
        self._pid = None
        return True

    def kill(self) -> None:
        if self._pid is not None:
            with suppress(psutil.Error):
                psutil.Process(self._pid).kill()

    @contextmanager
    def new_page(self) -> Iterator[Session]:
        """A tiny page of the farm's own, as new as a render's, in a process of its own.

        An old one would tell less: what it needs of the GPU process it has. Making one needs
        nothing of that, so where it takes long the machine is busy, or the browser. Raises
        `DevToolsError`.
        """
        browser = self._browser
        new = browser.begin("Target.createBrowserContext", {"disposeOnDetach": True})
        context: Params = new.wait(_PAGE_S)
        try:
            place = {**context, "url": "about:blank", "width": 8, "height": 8}
            target = browser.begin("Target.createTarget", place).wait(_PAGE_S)
            page = browser.attach(target["targetId"])
            page.begin("Runtime.evaluate", {"expression": "0"}).wait(_PAGE_S)
            yield page
        finally:
            with suppress(DevToolsError):
                browser.post("Target.disposeBrowserContext", context)
