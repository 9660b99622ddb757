"""A page in a browser context of its own: how it is made, set up, controlled and closed.

It is used in greenlets of the browser's thread, for one render, or for several one after the other,
each in a new document (`kept`).
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from farm.egress import Port
from farm.render.browser.devtools import DevToolsError, Params, Session, TargetGone, Wait
from farm.render.browser.looks import Looks
from farm.render.browser.sessions import Sessions

#: The default viewport of requests, and so the viewport of spares.
VIEWPORT = (1280, 720)
#: The fonts of generic families. The headless shell has no preferences, and takes another font for
#: `monospace` than Playwright and Chromium itself do on Linux. See docs/fidelity.md.
_FONT_FAMILIES = {
    "standard": "Times New Roman",
    "serif": "Times New Roman",
    "sansSerif": "Arial",
    "fixed": "Monospace",
    "cursive": "Comic Sans MS",
    "fantasy": "Impact",
}
#: How many dialogs of one page are dismissed at once. More would keep the browser's thread busy:
#: further dialogs are dismissed after a pause.
_MAX_QUICK_DIALOGS = 50
_SLOW_DIALOG_S = 0.05
#: The fonts of generic families, by the families' names in CSS.
GENERIC_FAMILIES = {
    "serif": _FONT_FAMILIES["serif"],
    "sans-serif": _FONT_FAMILIES["sansSerif"],
    "monospace": _FONT_FAMILIES["fixed"],
    "cursive": _FONT_FAMILIES["cursive"],
    "fantasy": _FONT_FAMILIES["fantasy"],
}
#: The name of the isolated world in which the farm's scripts run.
WORLD = "farm"


class Context:
    """A browser context: cookies, storage, cache, processes, and a port of the egress proxy."""

    def __init__(self, browser: Session, port: Port) -> None:
        self._browser = browser
        self.port = port
        params = {
            "disposeOnDetach": True,
            "proxyServer": port.url,
            "proxyBypassList": "<-loopback>",
        }
        self.id: str = browser.send("Target.createBrowserContext", params)["browserContextId"]

    def dispose(self) -> None:
        """Close it, and with it its pages, their processes and their connections."""
        self.port.close()
        with suppress(DevToolsError):
            self._browser.send("Target.disposeBrowserContext", {"browserContextId": self.id})


class Page:
    """A page. Use it in greenlets of the browser's thread."""

    def __init__(self, browser: Session, context: Context, is_shell: bool) -> None:
        """Makes the only page of the context; closing the page disposes of the context.

        `is_shell`: the browser is the headless shell, which needs fewer commands.
        """
        self._browser = browser
        self._context = context
        self._is_shell = is_shell
        #: Final once the page is closed.
        self._died: bool | None = None
        self._dialogs = 0
        #: The size of the viewport now, and the device pixels for each CSS pixel.
        self.size = VIEWPORT
        self.scale: float = 1
        self._looks = Looks()
        #: The window's left and top, once `note_window` has asked for them.
        self._place: tuple[int, int] | None = None
        #: Something was done to the page that a new document does not undo.
        self.is_altered = False
        try:
            width, height = VIEWPORT
            place = {"browserContextId": context.id, "width": width, "height": height}
            target = browser.send("Target.createTarget", {"url": "about:blank", **place})
            #: The id of its target, which is the id of its main frame too.
            self.id: str = target["targetId"]
            self.session = browser.attach(self.id)
            self.sessions = Sessions(self.session, self._draw_as_playwright)
            self._set_up()
            world = self.session.send(
                "Page.createIsolatedWorld", {"frameId": self.id, "worldName": WORLD}
            )
            #: The isolated world of the empty document, in which the farm's scripts run.
            self.first_world: int = world["executionContextId"]
        except BaseException:
            context.dispose()
            raise

    @property
    def port(self) -> Port:
        """Its port of the egress proxy."""
        return self._context.port

    @property
    def closed(self) -> bool:
        """Whether the farm has closed it."""
        return self._died is not None

    @property
    def died(self) -> bool:
        """Whether it closed itself, or its process died, before the farm closed it."""
        return self.session.ended if self._died is None else self._died

    def send(self, method: str, params: Params | None = None) -> Any:
        """Send a DevTools command; returns its answer. Raises what `Session.send` does."""
        return self.session.send(method, params)

    def catch_up(self) -> None:
        """Wait until the browser's main process has reported what the page has done so far.

        Its events, such as a new worker, may come later than the answers of the page's process.
        """
        self._browser.send("Browser.getVersion")

    @property
    def has_leftovers(self) -> bool:
        """Whether a render has left anything in the page that a new document may not undo.

        Leftovers of the network are not looked for one by one (cookies, caches, logins, what a site
        has said of its security): any use of the network counts.
        """
        has_helpers = bool(self.sessions.adopted or self._dialogs)
        return self.is_altered or has_helpers or self.port.was_used

    def wait(self, milliseconds: int) -> None:
        self.session.sleep(milliseconds / 1000)

    def note_window(self) -> None:
        """Remember where the window is, before any script can move it."""
        bounds = self._window()["bounds"]
        self._place = bounds["left"], bounds["top"]

    @property
    def is_window_in_place(self) -> bool:
        """Whether the window is where it was noted, and has the viewport's size."""
        bounds = self._window()["bounds"]
        place, size = (bounds["left"], bounds["top"]), (bounds["width"], bounds["height"])
        return place == self._place and size == self.size

    def _window(self) -> Params:
        window: Params = self.send("Browser.getWindowForTarget")
        return window

    def magnify(self, scale: float) -> None:
        """Draw so many device pixels for each CSS pixel, until the page is resized."""
        self.scale = scale
        self._hold_size()

    def resize(self, width: int, height: int) -> None:
        """Set the viewport's size, with one device pixel for each CSS pixel."""
        self.size = (width, height)
        self.scale = 1
        # The window too: scripts read `outerWidth` and `outerHeight`.
        window = self._window()["windowId"]
        bounds = {"width": width, "height": height}
        self.session.post("Browser.setWindowBounds", {"windowId": window, "bounds": bounds})
        self._hold_size()

    def _hold_size(self) -> None:
        """Keep the viewport's size, even if scripts resize the window."""
        self._set_metrics(*self.size)

    def _set_metrics(self, width: int, height: int) -> None:
        metrics = self._looks.metrics(width, height, self.scale)
        self.session.post("Emulation.setDeviceMetricsOverride", metrics)

    def change_looks(self, looks: Looks) -> Wait:
        """Set another screen and medium, also for frames of other processes that come later.

        Returns the wait for the last command's answer.
        """
        self.is_altered = True
        self._looks = looks
        self._hold_size()
        return self.session.begin("Emulation.setEmulatedMedia", looks.medium)

    def grant(self, permission: str) -> None:
        """Grant a permission to every document in the page.

        `permission` is a name of the protocol's `Browser.PermissionType`.
        """
        self.is_altered = True
        params = {"permissions": [permission], "browserContextId": self._context.id}
        self._browser.post("Browser.grantPermissions", params)

    @contextmanager
    def printed(self) -> Iterator[Callable[[int, int], None]]:
        """Lay the page out as for print. Yields a function that sets the viewport's size."""
        self.is_altered = True
        medium = self._looks.medium
        printed = {**medium, "media": medium["media"] or "print"}
        self.session.post("Emulation.setEmulatedMedia", printed)
        try:
            yield self._set_metrics
        finally:
            with suppress(DevToolsError):
                self.session.post("Emulation.setEmulatedMedia", medium)
                self._hold_size()

    def check(self) -> None:
        """Raises `TargetGone` if the page is gone."""
        if self.session.ended:
            raise TargetGone("the page is gone")

    def close(self) -> None:
        self._died = self.died
        self._context.dispose()

    def kill(self) -> None:
        """Kill the page's process.

        This works even if closing the page would wait for the process.
        """
        with suppress(DevToolsError):
            self.session.post("Page.crash")

    def _set_up(self) -> None:
        """Set the page up before anything is loaded. Does not wait for the answers."""
        post = self.session.post
        post("Page.enable")
        self._draw_as_playwright(self.session)
        # Scripts that run while a URL is loaded must find that the page has the focus.
        post("Emulation.setFocusEmulationEnabled", {"enabled": True})
        self.session.on("Page.javascriptDialogOpening", self._dismiss_dialog)
        # No bodies are kept, since no debugger will ask for them.
        post("Network.enable", {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0})
        self.sessions.attach()
        # The headless shell refuses downloads by itself.
        if not self._is_shell:
            refusal = {"behavior": "deny", "browserContextId": self._context.id}
            self._browser.post("Browser.setDownloadBehavior", refusal)
            self.resize(*VIEWPORT)
        else:
            self._hold_size()

    def _draw_as_playwright(self, session: Session) -> None:
        session.post("Page.setFontFamilies", {"fontFamilies": _FONT_FAMILIES})
        session.post("Emulation.setEmulatedMedia", self._looks.medium)

    def _dismiss_dialog(self, params: Params) -> None:
        """Dismiss a dialog. A `beforeunload` dialog is accepted, so that the navigation goes on.

        A page can open a `beforeunload` dialog only after a click.
        """
        self._dialogs += 1
        accept = params["type"] == "beforeunload"
        if self._dialogs > _MAX_QUICK_DIALOGS:
            asyncio.get_running_loop().call_later(_SLOW_DIALOG_S, self._end_dialog, accept)
        else:
            self._end_dialog(accept)

    def _end_dialog(self, accept: bool) -> None:
        with suppress(DevToolsError):
            self.session.post("Page.handleJavaScriptDialog", {"accept": accept})
