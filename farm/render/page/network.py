"""Sets what a page sends and loads: cookies, headers, a password, and what is blocked.

All but `scopedHeaders` is for the page's own origin, which is that of the URL in the request, even
if the URL redirects. Nothing of it is ever logged.
"""

from collections.abc import Sequence
from typing import Any

import ada_url

from farm.errors import InvalidRequest, Problem
from farm.render.browser.devtools import CommandFailed, Params, Wait
from farm.render.page.blocking import Blocking
from farm.render.page.filters import FiltersMissing
from farm.render.page.interception import Paused
from farm.render.page.matching import Matching
from farm.render.page.work import Work
from farm.request.cookies import Cookie
from farm.request.network import Credentials, ScopedHeaders
from farm.request.problems import summary

_REFUSED_COOKIE = "Chromium refuses it for its host, or since it is secure and its url is not"
_OVER_THE_NETWORK: list[Params] = [{"urlPattern": "http*"}]


def prepare(work: Work) -> None:
    """Set it up before anything is loaded.

    Raises `InvalidRequest` for a cookie that Chromium refuses.
    """
    options = work.options
    own_url = work.request.page_url
    if options.cookies:
        _set_cookies(work, own_url)
    intercepting = []
    if own_url is not None and (options.headers or options.auth is not None):
        origin = origin_of(own_url)
        if options.headers:
            headers = _Headers(origin, options.headers)
            intercepting.append(work.interception.add(headers.set, _all_of(origin)))
        if options.auth is not None:
            password = _Password(origin, options.auth)
            intercepting.append(work.interception.answer_auth(password.answer, _all_of(origin)))
    if options.scoped_headers:
        scoped = _ScopedHeaders(options.scoped_headers)
        intercepting.append(work.interception.add(scoped.set, _OVER_THE_NETWORK))
    if options.block.is_asked_for:
        blocking = _blocking(work, own_url)
        work.facts["blockedRequests"] = blocking.blocked
        # Before the others, so that nothing is prepared for requests that are not sent.
        if blocking.patterns:
            intercepting.append(
                work.interception.add(blocking.handle, blocking.patterns, first=True)
            )
        if (blocked := blocking.block_web_sockets()) is not None:
            intercepting.append(blocked)
    for wait in intercepting:
        work.activity.await_answer(wait)


def _blocking(work: Work, own_url: str | None) -> Blocking:
    try:
        return Blocking(work.page, work.options.block, own_url)
    except FiltersMissing as missing:
        problems = [Problem("options.block.ads", f"cannot be done here: {missing}")]
        raise InvalidRequest(summary(problems), problems) from None


def origin_of(url: str) -> str:
    """The URL's origin (`https://example.com:8443`); `null` if it has no origin of its own."""
    try:
        return str(ada_url.URL(url).origin)
    except ValueError:
        return "null"


def _all_of(origin: str) -> list[Params]:
    return [{"urlPattern": f"{origin}/*"}]


class _Headers:
    def __init__(self, origin: str, headers: dict[str, str]) -> None:
        self._origin = origin
        self._headers = headers

    def set(self, paused: Paused) -> None:
        """Set the headers if the request goes to the page's own origin.

        A request of another site's script does not get them. Such a script could read the answer
        only if the page's own site allowed that, after a preflight request that names the headers.
        """
        by = paused.header("Origin")
        if origin_of(paused.url) == self._origin and by in (None, self._origin):
            paused.set_headers(self._headers)


class _ScopedHeaders:
    def __init__(self, scopes: Sequence[ScopedHeaders]) -> None:
        self._scopes = scopes
        self._matching = Matching([scope.url for scope in scopes])

    def set(self, paused: Paused) -> None:
        found: dict[str, str] = {}
        for number in self._matching.find_all(paused.url):
            headers = self._scopes[number].headers
            # Upper and lower case make no difference.
            names = {name.lower() for name in headers}
            found = {name: value for name, value in found.items() if name.lower() not in names}
            found |= headers
        if found:
            paused.set_headers(found)


class _Password:
    """Gives the password to the page's own origin, not to proxies, until the origin refuses it."""

    def __init__(self, origin: str, credentials: Credentials) -> None:
        self._origin = origin
        self._credentials = credentials
        #: The ids of requests that got the password.
        self._given: set[str] = set()
        self._is_wrong = False

    def answer(self, request: str, challenge: Params) -> tuple[str, str] | None:
        is_own = origin_of(challenge["origin"]) == self._origin
        if challenge.get("source") == "Proxy" or not is_own:
            return None
        self._is_wrong |= request in self._given
        if self._is_wrong:
            return None
        self._given.add(request)
        return self._credentials.username, self._credentials.password


def _set_cookies(work: Work, own_url: str | None) -> None:
    page = work.page
    page.is_altered = True
    begun = [
        page.session.begin("Network.setCookie", _as_param(cookie, own_url))
        for cookie in work.options.cookies
    ]
    problems = [
        Problem(f"options.cookies.{index}", _REFUSED_COOKIE)
        for index, answer in enumerate(begun)
        if not _is_set(answer)
    ]
    if problems:
        raise InvalidRequest(summary(problems), problems)


def _is_set(answer: Wait) -> bool:
    try:
        return bool(answer.wait()["success"])
    except CommandFailed:  # the error does not name its cause
        return False


def _as_param(cookie: Cookie, own_url: str | None) -> Params:
    where = {"domain": cookie.domain} if cookie.domain else {"url": cookie.url or own_url}
    params: dict[str, Any] = {
        "name": cookie.name,
        "value": cookie.value,
        "path": cookie.path,
        "httpOnly": cookie.http_only,
        "secure": cookie.secure,
        **where,
    }
    if cookie.expires is not None:
        params["expires"] = cookie.expires
    if cookie.same_site is not None:
        params["sameSite"] = cookie.same_site
    return params
