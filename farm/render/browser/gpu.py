"""The GPU process, which draws and captures for all pages of a browser.

`keeping.drawing` uses it, in greenlets of the browser's thread. Work that a page has given to the
process goes on after the page is closed. The process can be killed alone: Chromium starts another,
which answers the captures that were under way. The pages go on, but lose what they had drawn with
WebGL.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from farm.processes import is_exiting
from farm.render.browser.devtools import DevToolsError, Params, Session

#: Chromium's name for the process's type (SystemInfo.getProcessInfo).
_TYPE = "GPU"
#: The time that each step of making the farm's own page may take.
_PAGE_S = 10.0


class GpuProcess:
    """The GPU process of one browser. Use it in greenlets of the browser's thread."""

    def __init__(self, browser: Session) -> None:
        self._browser = browser
        self._pid: int | None = None

    @property
    def is_known(self) -> bool:
        return self._pid is not None

    def find(self) -> None:
        """Find its process id. Raises `DevToolsError`."""
        processes = self._browser.send("SystemInfo.getProcessInfo")["processInfo"]
        pids = [each["id"] for each in processes if each["type"] == _TYPE]
        # Chromium lists a dead process until it notices the death.
        self._pid = next((pid for pid in pids if not is_exiting(pid)), None)

    def has_died(self) -> bool:
        """Whether the process found last has died. True only once; then call `find` again."""
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

        An old page would not do: it already has what it needs of the GPU process. Making a page
        does not need the GPU process, so if that takes long, the machine or the browser is busy.
        Raises `DevToolsError`.
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
