"""Signed links: `GET /r/{signature}/{payload}` opens one, `POST /links` makes one.

A link is a render for an `<img src>` or an `og:image`.

Who opens a link has no key: whoever signed it has allowed exactly this render, to everybody. So the
signature is checked first, before rates, and before a byte of the payload is read.
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
from farm.web.files import is_known, put_file
from farm.web.rendering import Answer, RenderRoute
from farm.web.request_log import logged
from farm.web.routes import Resource

#: How old a file may be where neither the link nor `FARM_CACHE_TTL_S` says so.
_TTL_S = 3600
#: An expiry after the year 9999 is meant as milliseconds, which JavaScript's `Date.now()` gives.
_LAST_SECOND = 253_402_300_799
#: Files that a browser runs as a page: a stranger's, at the farm's own origin.
_PAGES = (FORMATS["html"], FORMATS["mhtml"])


class MakeLinkResource(Resource):
    """`POST /links`: signs a request for a caller who may render.

    The key stays here. Without it a caller, such as the playground, could make no link.
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
            # A link that is signed here is one that opens.
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
    # Else everybody who reloads a page with a link in it would have it rendered anew.
    obeys_no_cache = False

    def __init__(self, renderer: Renderer[Any], keys: LinkKeys, ttl_s: int) -> None:
        """`ttl_s`: of files whose link says nothing of the cache; 0: the default."""
        super().__init__(renderer)
        self._keys = keys
        figures.link_keys(keys.names)
        self._ttl_s = ttl_s or _TTL_S

    def caller_of(self, params: Mapping[str, str]) -> str:
        """No API key has such a name: neither rates nor kept files are shared with any."""
        name = self._keys.name_of(params["signature"], params["payload"])
        if name is None:
            raise LinkRefused()
        figures.link(name)
        return f"link:{name}"

    @contextmanager
    def asked(self, req: falcon.Request) -> Iterator[tuple[RenderRequest, Answer]]:
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
    """Raises `InvalidRequest` for a link that would not open, or that would open for ever."""
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
    if not is_known(req, resp, result):
        put_file(resp, result)


def _max_age_s(request: RenderRequest, left_s: int | None, result: RenderResult) -> int:
    """Counted from the render, as `Age` is (RFC 9111, 4.2); nobody has it beyond the expiry."""
    if not result.is_reproducible or request.cache is None:
        return 0
    age_s = result.cache.age_s if result.cache is not None else 0
    return request.cache.ttl if left_s is None else min(request.cache.ttl, left_s + age_s)
