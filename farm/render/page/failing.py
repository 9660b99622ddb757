"""What the request calls a failure of its page, noted as it happens.

What counts is what became of the document that is captured: what one before it lacked is forgotten
when the page goes elsewhere.

Sources: https://chromedevtools.github.io/devtools-protocol/tot/Network/ and …/tot/Runtime/
"""

from contextlib import suppress

import ada_url

from farm.errors import PageFailed, Problem
from farm.parsing import without_login
from farm.render.browser.devtools import DevToolsError, Params, Session
from farm.render.browser.page import Page
from farm.render.page.activity import Activity
from farm.render.page.messages import message_of
from farm.request import FailOn, names_status

#: What is told of, and how much of a URL.
_MOST = 20
_MAX_URL = 300
#: Requests whose URLs are remembered, for what becomes of them.
_MAX_REQUESTS = 10_000


class Failures:
    """Of one render."""

    def __init__(self, page: Page, activity: Activity, fail_on: FailOn) -> None:
        """Made before anything is loaded. The page is told nothing that `fail_on` does not need."""
        self._page = page
        self._activity = activity
        self._fail_on = fail_on
        #: In the order in which they happened, each once.
        self._noted: dict[Problem, None] = {}
        self._urls: dict[str, str] = {}
        if fail_on.resource_status or fail_on.resource_error or fail_on.page_error:
            page.on("Page.frameNavigated", self._on_navigated)
        if fail_on.resource_status:
            page.on("Network.responseReceived", self._on_response)
        if fail_on.resource_error:
            page.on("Network.requestWillBeSent", self._on_request)
            page.on("Network.loadingFailed", self._on_failed)
        if fail_on.page_error:
            # Its sessions tell of errors until they end.
            page.is_altered = True
            page.on("Runtime.exceptionThrown", self._on_exception)
            page.prepare_child.append(self._tell_errors)
            page.session.post("Runtime.enable")

    def note_missing(self, field: str, selector: str) -> None:
        """A selector matches nothing that could be clicked."""
        if self._fail_on.missing_selector:
            self._note("missingSelector", f"{field} matched nothing to be clicked: {selector}")

    @property
    def _has_status(self) -> bool:
        return names_status(self._fail_on.status, self._activity.document.status)

    def check_status(self) -> None:
        """Raises `PageFailed` if the document alone is a failure: there is nothing to wait for."""
        if self._has_status:
            self.check()

    def check(self) -> None:
        """Raises `PageFailed` if anything that is called a failure has happened."""
        found = list(self._noted)
        if self._has_status:
            status = self._activity.document.status
            found.insert(0, _problem("status", f"the page was answered with {status}"))
        if found:
            first = found[0].problem
            more = f" {len(found) - 1} more in details." if len(found) > 1 else ""
            raise PageFailed(f"The page has failed: {first}.{more}", found[:_MOST])

    def _note(self, name: str, text: str) -> None:
        if len(self._noted) < _MOST:
            self._noted[_problem(name, text)] = None

    def _is_document(self, params: Params) -> bool:
        """Whether a request is for what the main frame shows, or is about to."""
        is_main = params.get("frameId") == self._page.id
        return is_main and params["requestId"] == params["loaderId"]

    def _on_navigated(self, params: Params) -> None:
        if params["frame"]["id"] == self._page.id:
            self._noted.clear()

    def _on_response(self, params: Params) -> None:
        status, url = params["response"]["status"], params["response"]["url"]
        if self._is_document(params) or not names_status(self._fail_on.resource_status, status):
            return
        if not self._fail_on.ignores(_host(url)):
            self._note("resourceStatus", f"{_cut(url)} was answered with {status}")

    def _on_request(self, params: Params) -> None:
        if len(self._urls) < _MAX_REQUESTS and not self._is_document(params):
            self._urls[params["requestId"]] = params["request"]["url"]

    def _on_failed(self, params: Params) -> None:
        url = self._urls.get(params["requestId"])
        # What the request's own `block` ends is meant to fail, as is what the page gives up.
        is_meant = params.get("canceled") or params.get("blockedReason") == "inspector"
        if url is not None and not is_meant:
            reason = params.get("blockedReason") or params["errorText"].removeprefix("net::")
            self._note("resourceError", f"{_cut(url)} could not be loaded ({reason})")

    def _on_exception(self, params: Params) -> None:
        self._note("pageError", f"a script threw {message_of(params['exceptionDetails'])}")

    @staticmethod
    def _tell_errors(_: Params, session: Session) -> None:
        with suppress(DevToolsError):
            session.post("Runtime.enable")


def _problem(name: str, text: str) -> Problem:
    return Problem(f"options.failOn.{name}", text)


def _host(url: str) -> str:
    try:
        return str(ada_url.URL(url).hostname)
    except ValueError:
        return ""


def _cut(url: str) -> str:
    url = without_login(url)
    return url if len(url) <= _MAX_URL else url[:_MAX_URL] + "…"
