"""A new, empty document in a page that was rendered, so that the next render finds it as new."""

from farm.render.browser.devtools import CommandFailed, Params
from farm.render.browser.page import WORLD, Page

#: What each step of it may take: a page that takes longer is busy with something.
_STEP_S = 0.5


class Watch:
    """What a page does between two renders: nothing, but for the navigation to its new document.

    Its handlers take the place of the last render's, and the next render's take theirs.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        #: Loaders of what the page was about to show, or showed.
        self._navigations: set[str] = set()
        self._has_arrived = False
        self._strayed = False
        self._stopped = page.session.wait()
        page.forget_handlers()
        page.on("Page.frameRequestedNavigation", self._on_departure)
        page.on("Page.frameScheduledNavigation", self._on_departure)
        page.on("Page.frameStartedNavigating", self._on_started)
        page.on("Page.frameNavigated", self._on_navigated)
        page.on("Page.frameStoppedLoading", self._on_stopped)
        page.on("Page.frameAttached", self._on_anything)
        page.on("Network.requestWillBeSent", self._on_request)
        page.on("Network.webSocketCreated", self._on_anything)

    def wait_until_loaded(self, timeout_s: float | None) -> None:
        """Until the last is told of the loading of the new document."""
        try:
            self._stopped.wait(timeout_s)
        finally:
            self._page.session.drop(self._stopped)

    def has_strayed(self, loader: str) -> bool:
        """Whether the page did anything else than to show the document with that loader."""
        return self._strayed or self._navigations != {loader} or bool(self._page.session.children)

    def _on_departure(self, params: Params) -> None:
        self._strayed |= params["frameId"] == self._page.id

    def _on_started(self, params: Params) -> None:
        if params["frameId"] == self._page.id:
            self._navigations.add(params["loaderId"])

    def _on_navigated(self, params: Params) -> None:
        if params["frame"]["id"] == self._page.id:
            self._navigations.add(params["frame"]["loaderId"])
            self._has_arrived = True

    def _on_stopped(self, params: Params) -> None:
        # Not the last document's, whose loading ends when it goes.
        if self._has_arrived and params["frameId"] == self._page.id:
            self._stopped.give()

    def _on_anything(self, _: Params) -> None:
        """The last document may do what leaves nothing until it goes."""
        self._strayed |= self._has_arrived

    def _on_request(self, params: Params) -> None:
        is_local = params["request"]["url"].startswith(("data:", "blob:"))
        self._strayed |= self._has_arrived or not is_local


def begin_new_document(page: Page, step_s: float | None) -> tuple[Watch, str]:
    """Have the page show an empty document, alone in its history, in which nothing has run.

    Returns what watches it, also its loading, and its loader. `step_s`: what each step may take.
    Raises `DevToolsError` where it does not come to it.
    """
    session = page.session
    watch = Watch(page)
    arrived = session.begin("Page.navigate", {"url": "about:blank"}).wait(step_s)
    loader: str = arrived.get("loaderId", "")
    if "errorText" in arrived or not loader:  # without a loader it is the same document
        raise CommandFailed(arrived.get("errorText", "there is no new document"))
    frame = {"frameId": page.id, "worldName": WORLD}
    world = session.begin("Page.createIsolatedWorld", frame)
    session.post("Page.resetNavigationHistory")
    page.first_world = world.wait(step_s)["executionContextId"]
    return watch, loader


class Renewal:
    """Makes a page that was rendered as new, for the next render."""

    def __init__(self, page: Page) -> None:
        """Raises `DevToolsError` where the page is not as new."""
        self._watch, self._loader = begin_new_document(page, _STEP_S)
        # The frame keeps its name from one document to the next.
        as_new = {"expression": "name = ''; history.length", "contextId": page.first_world}
        answer = page.session.begin("Runtime.evaluate", as_new).wait(_STEP_S)
        # Chromium's process for the page may not be told that its history was reset.
        if answer["result"].get("value") != 1:
            raise CommandFailed("its history is not new")
        self._watch.wait_until_loaded(_STEP_S)
        # Scripts may move and resize the window, also as their document goes.
        if not page.is_in_place:
            raise CommandFailed("its window is not where it was")

    @property
    def holds(self) -> bool:
        """Whether the page has done nothing since."""
        return not self._watch.has_strayed(self._loader)
