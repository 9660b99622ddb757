"""A page in a browser context of its own: making it, speaking to it, ending it.

A page is used for one render, or for one after the other, each in a new document (`kept`).
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from farm.egress import Port
from farm.render.browser.devtools import DevToolsError, Params, Session, TargetGone, Wait
from farm.render.browser.looks import Looks

#: The viewport of the contract's defaults, and so of the spares.
VIEWPORT = (1280, 720)
#: What generic families mean: the headless shell, which has no preferences, takes another font for
#: `monospace` than Playwright and Chromium itself on Linux. See docs/fidelity.md.
_FONT_FAMILIES = {
    "standard": "Times New Roman",
    "serif": "Times New Roman",
    "sansSerif": "Arial",
    "fixed": "Monospace",
    "cursive": "Comic Sans MS",
    "fantasy": "Impact",
}
#: What a page may have of what the farm must answer: frames of other processes and workers, and
#: dialogs that are dismissed at once. More of these would take the browser's thread.
_MAX_CHILDREN = 200
_MAX_QUICK_DIALOGS = 50
_SLOW_DIALOG_S = 0.05
#: Frames and workers nested deeper than this are not waited for: a page could nest them without an
#: end, and each costs the browser a session.
_MAX_DEPTH = 8
#: What generic families mean, by their names in CSS.
GENERIC_FAMILIES = {
    "serif": _FONT_FAMILIES["serif"],
    "sans-serif": _FONT_FAMILIES["sansSerif"],
    "monospace": _FONT_FAMILIES["fixed"],
    "cursive": _FONT_FAMILIES["cursive"],
    "fantasy": _FONT_FAMILIES["fantasy"],
}
#: The name of the isolated world that the farm's scripts run in.
WORLD = "farm"


class Context:
    """A browser context: cookies, storage, cache, processes, and one way to the network."""

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
        """End it, and with it its pages, their processes and their connections."""
        self.port.close()
        with suppress(DevToolsError):
            self._browser.send("Target.disposeBrowserContext", {"browserContextId": self.id})


class Page:
    """Use it in greenlets of the browser's thread."""

    def __init__(self, browser: Session, context: Context, is_shell: bool) -> None:
        """The only page of its context, which ends with it.

        `is_shell`: the browser is the headless shell, which needs to be told less.
        """
        self._browser = browser
        self._context = context
        self._is_shell = is_shell
        #: Known for good once it is closed.
        self._died: bool | None = None
        #: With the event of each.
        self._handlers: list[tuple[str, Callable[[Params], None]]] = []
        self._dialogs = 0
        self._adopted = 0
        #: What its viewport is now, and how many device pixels a CSS pixel of it is.
        self.size = VIEWPORT
        self.scale: float = 1
        self._looks = Looks()
        #: Where its window is, once somebody has asked: left, top.
        self._place: tuple[int, int] | None = None
        #: Something was done to it that a new document does not undo.
        self.is_altered = False
        #: Called with each worker: its target's `TargetInfo`, and its session.
        self.on_worker: Callable[[Params, Session], None] = lambda _info, _session: None
        #: Called with each frame of another process and each worker (its target's `TargetInfo`, and
        #: its session) before it begins to run.
        self.prepare_child: list[Callable[[Params, Session], None]] = []
        try:
            width, height = VIEWPORT
            place = {"browserContextId": context.id, "width": width, "height": height}
            target = browser.send("Target.createTarget", {"url": "about:blank", **place})
            #: Of its target, and of its main frame.
            self.id: str = target["targetId"]
            self.session = browser.attach(self.id)
            self._set_up()
            world = self.session.send(
                "Page.createIsolatedWorld", {"frameId": self.id, "worldName": WORLD}
            )
            #: Of the empty document: where the farm's scripts run.
            self.first_world: int = world["executionContextId"]
        except BaseException:
            context.dispose()
            raise

    @property
    def port(self) -> Port:
        """Its way to the network."""
        return self._context.port

    @property
    def closed(self) -> bool:
        """The farm has closed it."""
        return self._died is not None

    @property
    def died(self) -> bool:
        """It closed itself, or its process died, before the farm closed it."""
        return self.session.ended if self._died is None else self._died

    def send(self, method: str, params: Params | None = None) -> Any:
        """A DevTools command. Raises what `Session.send` does."""
        return self.session.send(method, params)

    def catch_up(self) -> None:
        """Until events that the browser's own process tells of what the page did so far have come.

        They may come after the answers of the page's process: a worker's is one of them.
        """
        self._browser.send("Browser.getVersion")

    @property
    def has_remains(self) -> bool:
        """Whether a render has left something in it that a new document may not undo.

        What only comes from the network is not looked for one by one (cookies, caches, logins, what
        a site has said of its security): it is enough that anything has spoken to the network.
        """
        has_helpers = bool(self._adopted or self._dialogs)
        return self.is_altered or has_helpers or self.port.was_used

    def wait(self, milliseconds: int) -> None:
        self.session.sleep(milliseconds / 1000)

    def note_place(self) -> None:
        """Remember where its window is, before any script may move it."""
        bounds = self._window()["bounds"]
        self._place = bounds["left"], bounds["top"]

    @property
    def is_in_place(self) -> bool:
        """Whether its window is where it was noted to be, and of the viewport's size."""
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
        """Give it a viewport of that size, with one device pixel for each CSS pixel."""
        self.size = (width, height)
        self.scale = 1
        # The window too: scripts read its `outerWidth` and `outerHeight`.
        window = self._window()["windowId"]
        bounds = {"width": width, "height": height}
        self.session.post("Browser.setWindowBounds", {"windowId": window, "bounds": bounds})
        self._hold_size()

    def _hold_size(self) -> None:
        """Keep the viewport's size, whatever scripts make of the window's."""
        self._set_metrics(*self.size)

    def _set_metrics(self, width: int, height: int) -> None:
        metrics = self._looks.metrics(width, height, self.scale)
        self.session.post("Emulation.setDeviceMetricsOverride", metrics)

    def change_looks(self, looks: Looks) -> Wait:
        """Tell it another screen and medium, and the frames to come of other processes as well.

        Returns the last command's answer to come.
        """
        self.is_altered = True
        self._looks = looks
        self._hold_size()
        return self.session.begin("Emulation.setEmulatedMedia", looks.medium)

    def grant(self, permission: str) -> None:
        """To whatever is shown in it. For a name of the protocol's `Browser.PermissionType`."""
        self.is_altered = True
        params = {"permissions": [permission], "browserContextId": self._context.id}
        self._browser.post("Browser.grantPermissions", params)

    @contextmanager
    def printed(self) -> Iterator[Callable[[int, int], None]]:
        """Lay it out as print does, in a viewport whose size the function sets."""
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

    def on(self, event: str, handler: Callable[[Params], None]) -> None:
        """Call the handler too at each such event of the page, its frames and its workers."""
        self._handlers.append((event, handler))
        for session in self.sessions():
            session.on(event, handler)

    def forget_handlers(self) -> None:
        """Call none of the handlers more: those of the last render, if a page is used again."""
        for event, handler in self._handlers:
            for session in self.sessions():
                session.off(event, handler)
        self._handlers.clear()

    def check(self) -> None:
        """Raises `TargetGone` if the page is."""
        if self.session.ended:
            raise TargetGone("the page is gone")

    def _leave_children_alone(self) -> None:
        """There are more than a page can have use for: those to come are not attached to."""
        for session in self.sessions():
            with suppress(DevToolsError):
                params = {"autoAttach": False, "waitForDebuggerOnStart": False, "flatten": True}
                session.post("Target.setAutoAttach", params)

    def sessions(self) -> list[Session]:
        """Its own, and those of frames and workers that have one."""
        return [self.session, *_descendants(self.session)]

    def interrupt(self, error: DevToolsError) -> None:
        """What waits for the page now, its frames or its workers gets the error."""
        for session in self.sessions():
            session.interrupt(error)

    def close(self) -> None:
        self._died = self.died
        self._context.dispose()

    def kill(self) -> None:
        """End the page's process, which works where its closing waits for it."""
        with suppress(DevToolsError):
            self.session.post("Page.crash")

    def _set_up(self) -> None:
        """What the page is told before anything is loaded; nothing waits for the answers."""
        post = self.session.post
        post("Page.enable")
        self._draw_as_playwright(self.session)
        # Scripts that run while a URL is loaded find that their page has the focus.
        post("Emulation.setFocusEmulationEnabled", {"enabled": True})
        self.session.on("Page.javascriptDialogOpening", self._dismiss_dialog)
        # No body is kept for a debugger that might ask for it.
        post("Network.enable", {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0})
        self._follow_children(self.session)
        # The shell refuses downloads by itself.
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
        """A page may ask before it is left only once it was clicked; then it is left, as asked."""
        self._dialogs += 1
        accept = params["type"] == "beforeunload"
        if self._dialogs > _MAX_QUICK_DIALOGS:
            asyncio.get_running_loop().call_later(_SLOW_DIALOG_S, self._end_dialog, accept)
        else:
            self._end_dialog(accept)

    def _end_dialog(self, accept: bool) -> None:
        with suppress(DevToolsError):
            self.session.post("Page.handleJavaScriptDialog", {"accept": accept})

    def _follow_children(self, session: Session, depth: int = 1) -> None:
        """Frames that other processes draw, and workers, are attached to before they begin."""
        kinds = [{"type": "iframe"}, {"type": "worker"}]
        params = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
        session.on("Target.attachedToTarget", lambda params: self._adopt(session, params, depth))
        session.post("Target.setAutoAttach", {**params, "filter": kinds})

    def _adopt(self, parent: Session, params: Params, depth: int) -> None:
        self._adopted += 1
        if self._adopted == _MAX_CHILDREN:
            self._leave_children_alone()
        info, child = params["targetInfo"], parent.adopt(params["sessionId"])
        for event, handler in self._handlers:
            child.on(event, handler)
        with suppress(DevToolsError):
            if self._adopted < _MAX_CHILDREN and depth < _MAX_DEPTH:
                self._follow_children(child, depth + 1)
            if info["type"] == "iframe":
                child.post("Page.enable")
                self._draw_as_playwright(child)
            else:
                self.on_worker(info, child)
            child.post("Network.enable", {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0})
            for prepare in self.prepare_child:
                prepare(info, child)
            child.post("Runtime.runIfWaitingForDebugger")


def _descendants(session: Session) -> Iterator[Session]:
    for child in list(session.children.values()):
        yield child
        yield from _descendants(child)
