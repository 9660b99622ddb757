"""Signed links: `GET /r/{signature}/{payload}` opens one, `POST /links` makes one.

A link is a render for an `<img src>` or an `og:image`. A client that opens a link has no API key:
the signer of the link has allowed everybody exactly this render. So the signature is checked first,
before the rate limit, and before the payload is parsed.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import falcon

from farm import clock
from farm.errors import InvalidRequest, LinkExpired, LinkRefused, Problem
from farm.formats import FORMATS
from farm.links import LinkError, LinkKeys, make_link
from farm.metrics import figures
from farm.parsing import parse_json_object
from farm.renderer import Renderer
from farm.request import Limits, Link, RenderRequest, RenderResult
from farm.request.link import EXPIRY
from farm.web.body import Bodies
from farm.web.files import answer_not_modified, put_file
from farm.web.rendering import Answer, RenderRoute
from farm.web.request_log import logged
from farm.web.routes import Resource

#: How old a file may be if neither the link nor `FARM_CACHE_TTL_S` says so.
_TTL_S = 3600
#: The end of the year 9999. A later expiry is probably in milliseconds, as JavaScript's
#: `Date.now()` returns.
_LAST_SECOND = 253_402_300_799
#: Formats that a browser would run as a page. Such a file may be a stranger's, and the farm's
#: origin serves it.
_PAGES = (FORMATS["html"], FORMATS["mhtml"])


class MakeLinkResource(Resource):
    """`POST /links`: signs a request for a caller who may render.

    The signing key stays on the server. So callers without it, such as the playground, can make
    links.
    """

    with_body = frozenset({"POST"})

    def __init__(self, bodies: Bodies, keys: LinkKeys, limits: Limits) -> None:
        self._bodies = bodies
        self._keys = keys
        self._limits = limits

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        with logged("make link", req):
            with self._bodies.read(req, self) as body:
                fields = parse_json_object(body)
            # The link must open later, so its request is validated now.
            _check_expiry(Link.from_fields(fields, self._limits).expires_at)
            try:
                link = make_link(fields, self._keys.newest)
            except LinkError as exc:
                raise InvalidRequest(str(exc)) from exc
        answer = {"success": True, "linkUrl": link, "requestId": req.context.id}
        resp.set_header("Cache-Control", "no-store")
        resp.data = json.dumps(answer).encode()


class LinkResource(RenderRoute):
    is_open = True
    # Otherwise each reload of a page that contains a link would render it anew.
    obeys_no_cache = False

    def __init__(self, renderer: Renderer[Any], keys: LinkKeys, ttl_s: int) -> None:
        """`ttl_s`: the cache's TTL for links that do not name one; 0: the default, an hour."""
        super().__init__(renderer)
        self._keys = keys
        figures.link_keys(keys.names)
        self._ttl_s = ttl_s or _TTL_S

    def caller_of(self, params: Mapping[str, str]) -> str:
        """`link:` and the signing key's name. Raises `LinkRefused`.

        No API key has such a name, so links share rate limits and cached files with no API key.
        """
        name = self._keys.name_of(params["signature"], params["payload"])
        if name is None:
            raise LinkRefused()
        figures.link(name)
        return f"link:{name}"

    @contextmanager
    def open_request(self, req: falcon.Request) -> Iterator[tuple[RenderRequest, Answer]]:
        link = Link.read(req.path.rpartition("/")[2], self._renderer.limits)
        now = clock.seconds()
        if link.expires_at is not None and link.expires_at <= now:
            raise LinkExpired()
        left_s = None if link.expires_at is None else link.expires_at - now
        request = link.request.with_cache(self._ttl_s)
        yield request, partial(_answer, req, request, left_s)

    def on_get(self, req: falcon.Request, resp: falcon.Response, **_: str) -> None:
        self.respond(req, resp)

    on_head = on_get


def _check_expiry(expires_at: int | None) -> None:
    """Raises `InvalidRequest` for an expiry that has passed, or that is in milliseconds."""
    if expires_at is None:
        return
    if expires_at <= clock.seconds():
        raise InvalidRequest.of(Problem(EXPIRY, "is over already"))
    if expires_at > _LAST_SECOND:
        raise InvalidRequest.of(Problem(EXPIRY, "is in milliseconds; seconds are needed"))


def _answer(
    req: falcon.Request,
    request: RenderRequest,
    left_s: int | None,
    resp: falcon.Response,
    result: RenderResult,
) -> None:
    resp.set_header("Cache-Control", f"public, max-age={_max_age_s(request, left_s, result)}")
    resp.set_header("X-Content-Type-Options", "nosniff")
    resp.set_header("Cross-Origin-Resource-Policy", "cross-origin")
    if result.format in _PAGES:
        resp.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
    if not answer_not_modified(req, resp, result):
        put_file(resp, result)


def _max_age_s(request: RenderRequest, left_s: int | None, result: RenderResult) -> int:
    """Seconds from the render for which the answer may be cached; never beyond the link's expiry.

    `Age` counts from the render too (RFC 9111, 4.2).
    """
    if not result.is_reproducible or request.cache is None:
        return 0
    age_s = result.cache.age_s if result.cache is not None else 0
    return request.cache.ttl if left_s is None else min(request.cache.ttl, left_s + age_s)
