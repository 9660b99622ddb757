"""Notes what the request counts as a failure of its page, as it happens.

Only the captured document counts: when the page navigates, failures of the earlier document are
dropped.

Sources: https://chromedevtools.github.io/devtools-protocol/tot/Network/ and …/tot/Runtime/
"""

from contextlib import suppress

import ada_url

from farm.errors import Failure, PageFailed
from farm.parsing import without_login
from farm.render.browser.devtools import DevToolsError, Params, Session
from farm.render.browser.page import Page
from farm.render.page.activity import Activity
from farm.render.page.messages import message_of
from farm.request import FailOn, includes_status

#: How many failures are reported, and how many characters of a URL.
_MOST = 20
_MAX_URL = 300
#: Requests whose URLs are remembered until they succeed or fail.
_MAX_REQUESTS = 10_000


class Failures:
    """The failures of one render."""

    def __init__(self, page: Page, activity: Activity, fail_on: FailOn) -> None:
        """Made before anything is loaded. Sends only the commands that `fail_on` needs."""
        self._page = page
        self._activity = activity
        self._fail_on = fail_on
        #: Each failure once, in the order in which they happened.
        self._noted: dict[Failure, None] = {}
        self._urls: dict[str, str] = {}
        if fail_on.resource_status or fail_on.resource_error or fail_on.page_error:
            page.sessions.on("Page.frameNavigated", self._on_navigated)
        if fail_on.resource_status:
            page.sessions.on("Network.responseReceived", self._on_response)
        if fail_on.resource_error:
            page.sessions.on("Network.requestWillBeSent", self._on_request)
            page.sessions.on("Network.loadingFailed", self._on_failed)
        if fail_on.page_error:
            # The page's sessions report errors until they end.
            page.is_altered = True
            page.sessions.on("Runtime.exceptionThrown", self._on_exception)
            page.sessions.prepare_child.append(self._enable_errors)
            page.session.post("Runtime.enable")

    def note_missing(self, field: str, selector: str) -> None:
        """A selector has matched nothing that could be clicked."""
        if self._fail_on.missing_selector:
            text = f"{field} matched nothing to be clicked: {selector}"
            self._note(Failure("missingSelector", text))

    @property
    def _has_status(self) -> bool:
        return includes_status(self._fail_on.status, self._activity.document.status)

    def check_status(self) -> None:
        """Raises `PageFailed` if the document's status is a failure; then waiting is useless."""
        if self._has_status:
            self.check()

    def check(self) -> None:
        """Raises `PageFailed` if anything has happened that counts as a failure."""
        found = self._explained()
        if self._has_status:
            status = self._activity.document.status
            text = f"the page was answered with {status}"
            found.insert(0, Failure("status", text, status=status))
        if found:
            first = found[0].text
            more = f" {len(found) - 1} more in details." if len(found) > 1 else ""
            told = found[:_MOST]
            problems = [failure.problem for failure in told]
            raise PageFailed(f"The page has failed: {first}.{more}", problems, told)

    def _explained(self) -> list[Failure]:
        """The failures; where the egress proxy has noted the host, with the proxy's reason."""
        reasons = {note.host.lower(): note.reason for note in self._page.port.notes}
        return [
            _not_loaded(failure.url, failure.resource, reasons[_host(failure.url)])
            if failure.reason and _host(failure.url) in reasons
            else failure
            for failure in self._noted
        ]

    def _note(self, failure: Failure) -> None:
        if len(self._noted) < _MOST:
            self._noted[failure] = None

    def _is_document(self, params: Params) -> bool:
        """Whether a request is for the main frame's document, present or next."""
        is_main = params.get("frameId") == self._page.id
        return is_main and params["requestId"] == params["loaderId"]

    def _on_navigated(self, params: Params) -> None:
        if params["frame"]["id"] == self._page.id:
            self._noted.clear()

    def _on_response(self, params: Params) -> None:
        status, url = params["response"]["status"], params["response"]["url"]
        if self._is_document(params) or not includes_status(self._fail_on.resource_status, status):
            return
        if not self._fail_on.ignores(_host(url)):
            text = f"{_cut(url)} was answered with {status}"
            kind = params.get("type", "")
            self._note(Failure("resourceStatus", text, kind, _cut(url), status))

    def _on_request(self, params: Params) -> None:
        if len(self._urls) < _MAX_REQUESTS and not self._is_document(params):
            self._urls[params["requestId"]] = params["request"]["url"]

    def _on_failed(self, params: Params) -> None:
        url = self._urls.get(params["requestId"])
        # Requests that the request's own `block` ends are meant to fail, as are those that the page
        # cancels.
        is_meant = params.get("canceled") or params.get("blockedReason") == "inspector"
        if url is not None and not is_meant:
            reason = params.get("blockedReason") or params["errorText"].removeprefix("net::")
            self._note(_not_loaded(_cut(url), params.get("type", ""), reason))

    def _on_exception(self, params: Params) -> None:
        message = message_of(params["exceptionDetails"])
        self._note(Failure("pageError", f"a script threw {message}", reason=message))

    @staticmethod
    def _enable_errors(_: Params, session: Session) -> None:
        with suppress(DevToolsError):
            session.post("Runtime.enable")


def _not_loaded(url: str, resource: str, reason: str) -> Failure:
    text = f"{url} could not be loaded ({reason})"
    return Failure("resourceError", text, resource, url, reason=reason)


def _host(url: str) -> str:
    try:
        return str(ada_url.URL(url).hostname)
    except ValueError:
        return ""


def _cut(url: str) -> str:
    url = without_login(url)
    return url if len(url) <= _MAX_URL else url[:_MAX_URL] + "…"
