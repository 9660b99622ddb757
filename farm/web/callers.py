"""Identifies the caller of a request by its API key, and applies the rate limit.

Falcon calls the middleware `Callers` before the route. `gate` calls `identify` before a body is
read.
"""

import base64
from urllib.parse import parse_qs

import falcon
import structlog

from farm.callers import ApiKeys
from farm.errors import RateLimited, Unauthorized
from farm.rates import RateLimiter, RateStatus
from farm.web.request_log import logged
from farm.web.routes import Resource, Routes

_KEY_HEADERS = ("Authorization", "X-Api-Key")
#: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/07/, times in seconds.
RATE_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


class Callers:
    """Refuses requests without a valid key, if keys are set, and callers over their rate limit.

    A route's resource says whether it needs a key, and which methods count against the rate
    (`routes`). The key's name becomes `req.context.caller`, and is in every line of the log about
    the request.
    """

    def __init__(self, routes: Routes, keys: ApiKeys | None, rates: RateLimiter | None) -> None:
        self._routes = routes
        self._keys = keys
        self._rates = rates

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        with logged("admit", req, only_errors=True):
            # Set the route's template, so that `metrics` counts a refused request for its route.
            resource, req.uri_template, params = self._routes.find(req.path)
            req.context.resource = resource
            if resource.is_open:
                req.context.caller = resource.caller_of(params)
            elif self._keys and not _is_preflight(req):
                authorization, api_key = (req.get_header(name) for name in _KEY_HEADERS)
                sent = api_key or key_in(resource, req.query_string)
                req.context.caller = identify(self._keys, authorization, sent)
            if req.context.caller is not None:
                structlog.contextvars.bind_contextvars(caller=req.context.caller)
            if self._rates and resource.counts(req.method):
                _answer_rate(resp, self._rates.hit(req.context.caller or req.remote_addr))


def key_in(resource: Resource, query: str) -> str | None:
    """The key in a request's query, if the resource accepts one there."""
    if resource.key_parameter is None:
        return None
    return parse_qs(query).get(resource.key_parameter, [None])[0]


def identify(keys: ApiKeys, authorization: str | None, api_key: str | None) -> str:
    """The name of a request's key. Raises `Unauthorized`.

    `authorization`: the header `Authorization`. If it has a user name and a password, the password
    is the key, whatever the name is. `api_key`: the key itself, from another header or the query.
    """
    scheme, _, credentials = (authorization or "").partition(" ")
    match scheme.lower():
        case "bearer":
            sent: str | None = credentials.strip()
        case "basic":
            # A proxy in front of the farm may use this header, so another key has priority.
            sent = api_key or _password_in(credentials.strip())
        case _:
            sent = api_key
    name = keys.name_of(sent or "")
    if name is None:
        raise Unauthorized()
    return name


def _password_in(credentials: str) -> str:
    """The password in Basic credentials (RFC 7617); empty if there is none."""
    try:
        _, _, password = base64.b64decode(credentials).decode().partition(":")
    except ValueError:
        return ""
    return password


def _is_preflight(req: falcon.Request) -> bool:
    """Whether it is a CORS preflight request of a browser, which never has a key."""
    return req.method == "OPTIONS" and "ACCESS-CONTROL-REQUEST-METHOD" in req.headers


def _answer_rate(resp: falcon.Response, status: RateStatus) -> None:
    values = (status.limit, status.remaining, status.reset_s)
    for name, value in zip(RATE_HEADERS, values, strict=True):
        resp.set_header(name, str(value))
    if not status.within:
        raise RateLimited(retry_after_s=status.reset_s)
