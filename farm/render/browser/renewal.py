"""Gives a page that was rendered a new, empty document, so that the next render finds it as new.

`kept` uses it, in greenlets of the browser's thread.
"""

from farm.render.browser.devtools import CommandFailed, Params
from farm.render.browser.page import WORLD, Page

#: The time that each step may take. A page that takes longer is busy.
_STEP_S = 0.5


class Watch:
    """Watches a page between two renders: it may only navigate to its new document.

    Its event handlers replace those of the last render, and the next render's replace these.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        #: Loader ids of the documents that the page was navigating to, or has shown.
        self._navigations: set[str] = set()
        self._has_arrived = False
        self._has_acted = False
        self._stopped = page.session.wait()
        page.sessions.forget_handlers()
        page.sessions.on("Page.frameRequestedNavigation", self._on_other_navigation)
        page.sessions.on("Page.frameScheduledNavigation", self._on_other_navigation)
        page.sessions.on("Page.frameStartedNavigating", self._on_started)
        page.sessions.on("Page.frameNavigated", self._on_navigated)
        page.sessions.on("Page.frameStoppedLoading", self._on_stopped)
        page.sessions.on("Page.frameAttached", self._on_action)
        page.sessions.on("Network.requestWillBeSent", self._on_request)
        page.sessions.on("Network.webSocketCreated", self._on_action)

    def wait_until_loaded(self, timeout_s: float | None) -> None:
        """Wait until the new document is loaded, which its last loading event reports."""
        try:
            self._stopped.wait(timeout_s)
        finally:
            self._page.session.drop(self._stopped)

    def has_acted(self, loader: str) -> bool:
        """Whether the page has done anything but show the document with that loader id."""
        return self._has_acted or self._navigations != {loader} or bool(self._page.session.children)

    def _on_other_navigation(self, params: Params) -> None:
        self._has_acted |= params["frameId"] == self._page.id

    def _on_started(self, params: Params) -> None:
        if params["frameId"] == self._page.id:
            self._navigations.add(params["loaderId"])

    def _on_navigated(self, params: Params) -> None:
        if params["frame"]["id"] == self._page.id:
            self._navigations.add(params["frame"]["loaderId"])
            self._has_arrived = True

    def _on_stopped(self, params: Params) -> None:
        # Only of the new document: the last one's loading may end when it is unloaded.
        if self._has_arrived and params["frameId"] == self._page.id:
            self._stopped.give()

    def _on_action(self, _: Params) -> None:
        """Until it is unloaded, the last document may do things that leave nothing behind."""
        self._has_acted |= self._has_arrived

    def _on_request(self, params: Params) -> None:
        is_local = params["request"]["url"].startswith(("data:", "blob:"))
        self._has_acted |= self._has_arrived or not is_local


def begin_new_document(page: Page, step_s: float | None) -> tuple[Watch, str]:
    """Show an empty document, alone in the page's history, in which no script has run.

    Returns what watches the page and its loading, and the document's loader id. `step_s`: the time
    each step may take. Raises `DevToolsError` if the page does not get there.
    """
    session = page.session
    watch = Watch(page)
    arrived = session.begin("Page.navigate", {"url": "about:blank"}).wait(step_s)
    loader: str = arrived.get("loaderId", "")
    if "errorText" in arrived or not loader:  # without a loader id it is still the last document
        raise CommandFailed(arrived.get("errorText", "there is no new document"))
    frame = {"frameId": page.id, "worldName": WORLD}
    world = session.begin("Page.createIsolatedWorld", frame)
    session.post("Page.resetNavigationHistory")
    page.first_world = world.wait(step_s)["executionContextId"]
    return watch, loader


class Renewal:
    """Makes a page that was rendered as new, for the next render."""

    def __init__(self, page: Page) -> None:
        """Raises `DevToolsError` if the page cannot be made as new."""
        self._watch, self._loader = begin_new_document(page, _STEP_S)
        # A frame keeps its name when its document changes.
        as_new = {"expression": "name = ''; history.length", "contextId": page.first_world}
        answer = page.session.begin("Runtime.evaluate", as_new).wait(_STEP_S)
        # The renderer process may not have learnt that the history was reset.
        if answer["result"].get("value") != 1:
            raise CommandFailed("its history is not new")
        self._watch.wait_until_loaded(_STEP_S)
        # Scripts may move and resize the window, even while their document is unloaded.
        if not page.is_window_in_place:
            raise CommandFailed("its window is not where it was")

    @property
    def is_unchanged(self) -> bool:
        """Whether the page has done nothing since its renewal."""
        return not self._watch.has_acted(self._loader)
