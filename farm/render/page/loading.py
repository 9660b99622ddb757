"""Loads the page: writes its HTML, or navigates to its URL.

HTML with an address of its own or with files is navigated to as well (`serving`). If the page could
not be loaded, the error says why in words: from the egress proxy's notes, else from Chromium's
error.
"""

import math
import time
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from farm.egress import Note
from farm.errors import NavigationFailed, UrlRefused
from farm.policy import Refusal
from farm.render.browser.devtools import CommandFailed
from farm.render.browser.page import Page
from farm.render.page.activity import Activity
from farm.render.page.hints import Hints
from farm.render.page.serving import Serving
from farm.render.page.work import Work
from farm.request import RenderOptions

#: A script may close a window without a history, such as one whose HTML was written. Pages that are
#: made to be printed do so: `onload="print(); close()"`. With a history, Chromium refuses it.
_KEEP_OPEN = "window.close = function close() {}"
#: The time for the egress policy's verdict on the page's own host, whose name is looked up for it.
_VERDICT_S = 2.0
_VERDICT_STEP_MS = 2
#: Characters of a URL that Chromium navigates to (`kMaxURLChars` in its url/url_constants.h).
_MAX_URL = 2 << 20
#: Chromium's network errors (net/base/net_error_list.h) in words for the caller.
_NET_ERRORS = {
    "ERR_NAME_NOT_RESOLVED": "its host name is not known",
    "ERR_CONNECTION_REFUSED": "its host refused the connection",
    "ERR_CONNECTION_RESET": "its host broke the connection off",
    "ERR_CONNECTION_CLOSED": "its host broke the connection off",
    "ERR_CONTENT_LENGTH_MISMATCH": "its host broke the connection off",
    "ERR_INCOMPLETE_CHUNKED_ENCODING": "its host broke the connection off",
    "ERR_EMPTY_RESPONSE": "its host sent no answer",
    "ERR_CONNECTION_TIMED_OUT": "its host did not answer",
    "ERR_ADDRESS_UNREACHABLE": "its host cannot be reached",
    "ERR_INTERNET_DISCONNECTED": "its host cannot be reached",
    "ERR_TOO_MANY_REDIRECTS": "it redirects without an end",
    "ERR_UNSAFE_PORT": "browsers refuse its port",
    "ERR_INVALID_RESPONSE": "its answer is not HTTP",
    "ERR_INVALID_HTTP_RESPONSE": "its answer is not HTTP",
    "ERR_HTTP_RESPONSE_CODE_FAILURE": "it answered with an error and no page",
    "ERR_CONTENT_DECODING_FAILED": "its answer is not encoded as it says",
    "ERR_ABORTED": "its answer is not a page",
}


def clean(html: str) -> str:
    """The HTML without a byte order mark, which would be text before the doctype."""
    return html.removeprefix("\ufeff")


def _needs_address(options: RenderOptions, hints: Hints) -> bool:
    """Whether the HTML gets an address from the start.

    It does if the page is likely to load itself anew while the request waits or acts. Otherwise its
    storage would throw until then. And a virtual clock does not outlast the reload of a page
    without an address.
    """
    if options.deterministic and hints.may_have_scripts:
        return True
    scripts = (*options.on_load, *options.scripts)
    waits = (
        options.wait_for
        or options.wait_for_selector
        or options.wait_for_function
        or options.deterministic
        or options.wait_until == "networkidle"
    )
    if not (waits or scripts or options.click):
        return False
    if options.click and hints.is_likely_to_reload_by_click:
        return True
    if not scripts and not hints.may_have_scripts:  # prose may have the words too
        return hints.may_refresh
    return hints.is_likely_to_reload or any(Hints(text).is_likely_to_reload for text in scripts)


def load(work: Work) -> None:
    """Load the page and wait until it has settled. Raises `UrlRefused` or `NavigationFailed`."""
    request, settling = work.request, work.settling
    if request.url is not None:
        navigate(work.page, work.activity, request.url)
        settling.settle()
        return
    html = clean(request.html or "")
    has_address = request.base_url is not None or bool(request.assets)
    hints = Hints(html)
    if has_address or _needs_address(work.options, hints):
        _serve(work, html)
        settling.settle()
    else:
        _write(work, html, hints)


def _write(work: Work, html: str, hints: Hints) -> None:
    """Show the HTML without an address. If the page reloads itself, `_restore` shows it at one."""
    loads_late = hints.may_load_late
    work.activity.on_lost = partial(_restore, work, html)
    if loads_late:
        work.page.session.post("Runtime.evaluate", {"expression": _KEEP_OPEN})
    work.settling.write(html, loads_late, hints.may_have_workers)


def _restore(work: Work, html: str, blank_url: str) -> str:
    """Start to show the HTML at an address, because the page has reloaded itself and is empty.

    Returns the address, with the query and the fragment of `blank_url`.
    """
    serving = Serving(work.page, work.request, html)
    serving.begin(work.interception)
    url = serving.address + blank_url.removeprefix("about:blank")
    if len(url) > _MAX_URL:
        url = serving.address
    work.page.session.post("Page.navigate", {"url": url})
    work.settling.reset_limit()
    return url


def _serve(work: Work, html: str) -> None:
    """Show the HTML at its address. Raises `UrlRefused`."""
    page, base_url = work.page, work.request.base_url
    serving = Serving(page, work.request, html)
    host = None
    if base_url is not None:
        host, port = _host_and_port(base_url)
        page.port.check(host, port)
    serving.begin(work.interception)
    navigate(page, work.activity, serving.address)
    if host is not None:
        _wait_for_verdict(page, host)


def _wait_for_verdict(page: Page, host: str) -> None:
    """Refuse the page if the policy refuses its own host, to which no request may ever be made.

    If the name is not resolved in time, the page is not refused. Its requests to the host still
    are.
    """
    end = time.monotonic() + _VERDICT_S
    while host not in (verdicts := page.port.verdicts):
        if time.monotonic() > end:
            return
        page.wait(_VERDICT_STEP_MS)
    if (refusal := verdicts[host]) is not None:
        raise _refused(refusal)


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def navigate(page: Page, activity: Activity, url: str) -> None:
    """Navigate to the URL and wait for its document. Raises `UrlRefused` or `NavigationFailed`."""
    before = activity.document
    try:
        answer: dict[str, Any] = page.send("Page.navigate", {"url": url})
    except CommandFailed as failure:
        raise _why_not_loaded([], "") from failure
    if (error := answer.get("errorText")) is not None:
        is_download = answer.get("isDownload", False)
        # A page whose process has died reports the same; then this command is never answered.
        page.send("Page.getFrameTree")
        raise _why_not_loaded(page.port.notes, error, is_download) from CommandFailed(error)
    activity.wait_until_gone(before, math.inf)


def check_arrived(page: Page, activity: Activity) -> None:
    """Raises `UrlRefused` or `NavigationFailed` if the page does not show a site's page.

    The browser then shows an error page of its own, or nothing.
    """
    document = activity.document
    if document.is_error_page:
        host = (urlsplit(document.url).hostname or "").lower()
        raise _why_not_loaded([note for note in page.port.notes if note.host.lower() == host], "")
    if document.status >= 400 and not document.has_body:
        raise _why_not_loaded([], "ERR_HTTP_RESPONSE_CODE_FAILURE")
    if document.failure is not None and not document.has_body:
        raise _why_not_loaded([], document.failure)


def _refused(what: Note | Refusal) -> UrlRefused:
    return UrlRefused(f"The farm's egress policy refuses {what.host}: {what.reason}.")


def _why_not_loaded(
    notes: list[Note], error: str, is_download: bool = False
) -> UrlRefused | NavigationFailed:
    if notes:
        last = notes[-1]
        if last.refused:
            return _refused(last)
        return NavigationFailed(f"The URL could not be loaded: {last.reason}.")
    if is_download:
        return NavigationFailed(
            "The URL could not be loaded: its answer is a download, not a page."
        )
    reason = reason_of(error)
    return NavigationFailed(f"The URL could not be loaded: {reason}." if reason else None)


def reason_of(error: str) -> str | None:
    """One of Chromium's network errors (`net::ERR_FAILED`) in words; None if it has none."""
    error = error.removeprefix("net::")
    if error.startswith(("ERR_CERT_", "ERR_SSL_")):
        return "its TLS certificate or handshake is not valid"
    return _NET_ERRORS.get(error)
