"""Pages that try, each by its own means, to reach what they may not.

`python -m tests.egress.test_boundary` prints the table: hits with the boundary and without.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from string import Template

import pytest

from farm.errors import FarmError, UrlRefused
from farm.render import Engine
from farm.request import HTML_OR_URL, RenderRequest
from farm.settings import Settings
from tests.support.canaries import Aviary, Canary, has_ipv6, private_address
from tests.support.egress_vectors import INERT, NAVIGATIONS, VECTORS
from tests.support.no_boundary import no_boundary
from tests.support.site import running_site

pytestmark = pytest.mark.dedicated

#: Where the pages are served: allowed, and of another address than the canaries.
SITE = "127.0.0.2"
#: What a page does late, and what it does when it is closed, shall have its time.
WAIT_MS = 500
#: At the same time: they mostly wait.
PAGES = 16

#: All that has requests paused or sent otherwise; the first for pages with an origin of their own.
OF_URLS: dict[str, object] = {
    "headers": {"X-Token": "secret"},
    "cookies": [{"name": "a", "value": "1"}],
    "auth": {"username": "u", "password": "p"},
}
OF_ALL: dict[str, object] = {"block": {"urls": ["*/nothing"], "cookieBanners": True}}

Hits = dict[str, dict[str, int]]


@contextmanager
def addresses() -> Iterator[dict[str, str]]:
    """Where canaries sing, by what kind of address it is."""
    with private_address() as private:
        yield {
            "loopback": "127.0.0.1",
            **({"private": private} if private else {}),
            **({"IPv6": "::1"} if has_ipv6() else {}),
        }


def pages_of(vector: str, canaries: list[Canary], site_url: str) -> list[str]:
    """The pages that try a vector: one for all canaries, where a page can."""
    tries = [
        Template(VECTORS[vector]).substitute(
            http=f"http://{canary.host}:{canary.port}/x",
            ws=f"ws://{canary.host}:{canary.port}/x",
            host=f"{canary.host}:{canary.port}",
            hop=f"{site_url}/redirect?to=",
        )
        for canary in canaries
    ]
    if vector in NAVIGATIONS or "id=" in VECTORS[vector]:
        return tries
    return ["".join(tries)]


def hits_of(engine: Engine, has_options: bool = False) -> Hits:
    """Every vector tried by pages of a site, and as HTML: hits by vector and kind of address.

    `has_options`: with every option of what a page sends and loads.
    """
    aviary = Aviary()
    pages: dict[str, str] = {}
    with addresses() as hosts, running_site(SITE, pages) as site:
        canaries = {
            vector: {kind: aviary.canary(host) for kind, host in hosts.items()}
            for vector in VECTORS
        }
        sources = []
        for vector, its in canaries.items():
            for number, html in enumerate(pages_of(vector, list(its.values()), site.url)):
                path = f"/{vector.replace(' ', '-')}-{number}"
                pages[path] = f"<!doctype html><body>{html}"
                sources += [{"url": site.url + path.replace("()", "%28%29")}, {"html": html}]
        pages |= {path.replace("()", "%28%29"): html for path, html in pages.items()}
        with ThreadPoolExecutor(PAGES) as pool:
            list(pool.map(lambda source: attempt(engine, source, has_options), sources))
        found = {
            vector: {kind: canary.hits for kind, canary in its.items()}
            for vector, its in canaries.items()
        }
    aviary.close()
    return found


def attempt(engine: Engine, source: dict[str, str], has_options: bool) -> None:
    options: dict[str, object] = {"width": 200, "height": 200, "waitFor": WAIT_MS}
    if has_options:
        options |= OF_ALL | (OF_URLS if "url" in source else {})
    body = {**source, "options": options}
    request = RenderRequest.parse(json.dumps(body).encode(), HTML_OR_URL, engine.limits)
    try:
        engine.render(request)
    except FarmError as exc:
        if not isinstance(exc, UrlRefused) and exc.code != "navigation_failed":
            raise


@contextmanager
def engine_with(boundary: bool) -> Iterator[Engine]:
    with ExitStack() as stack:
        stack.enter_context(nullcontext() if boundary else no_boundary())
        engine = Engine(Settings(egress_allow=SITE, pages_per_browser=PAGES))
        engine.start()
        stack.callback(engine.close)
        engine.wait_started()
        yield engine


@pytest.mark.parametrize("has_options", [False, True])
def test_no_page_reaches_a_forbidden_address(has_options: bool) -> None:
    with engine_with(boundary=True) as engine:
        found = hits_of(engine, has_options)
    assert {vector: hits for vector, hits in found.items() if any(hits.values())} == {}


def test_without_the_boundary_every_page_reaches_it() -> None:
    """Else the test above would show nothing."""
    with engine_with(boundary=False) as engine:
        found = hits_of(engine)
    silent = {vector for vector, hits in found.items() if not hits["loopback"]}
    assert silent == set(INERT)


@pytest.mark.parametrize("vector", ["meta refresh", "location", "form post"])
def test_a_page_that_goes_there_itself_is_refused(vector: str, engine: Engine) -> None:
    html = Template(VECTORS[vector]).substitute(http="http://10.0.0.1/x")
    request = RenderRequest.parse(
        json.dumps({"html": html, "options": {"waitFor": WAIT_MS}}).encode(),
        HTML_OR_URL,
        engine.limits,
    )
    with pytest.raises(UrlRefused):
        engine.render(request)


def main() -> None:
    tables = {}
    for boundary in (True, False):
        with engine_with(boundary) as engine:
            tables[boundary] = hits_of(engine)
    kinds = list(tables[True]["img"])
    print("| vector | " + " | ".join([*kinds, *(f"{kind}, no boundary" for kind in kinds)]) + " |")
    print("|---" * (1 + 2 * len(kinds)) + "|")
    for vector in VECTORS:
        row = [str(tables[side][vector][kind]) for side in (True, False) for kind in kinds]
        print(f"| {vector} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
