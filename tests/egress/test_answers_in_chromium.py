"""Each answer of `raw_answers`, in Chromium without a proxy, through the proxy, and in a render."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page

from farm.egress import Egress, Port
from farm.errors import NavigationFailed
from farm.policy import Names, Policy
from farm.render import Engine
from tests.conftest import request_for
from tests.egress.raw_answers import ANSWERS, HTML, Case, RawSite, raw_site
from tests.support.images import opened
from tests.support.site import SITES

LIME = (0, 255, 0)
PATIENCE_MS = 20_000
_ARRIVED = """
(hasBody) => document.readyState !== 'loading' || !hasBody || document.body?.innerText
"""


@dataclass(frozen=True)
class Sight:
    """What there is to see of an answer: `body` is None where no page came of it."""

    body: str | None
    is_cut: bool


@pytest.fixture(scope="module")
def site() -> Iterator[RawSite]:
    with raw_site() as running:
        yield running


@pytest.fixture(scope="module")
def direct(browser: Browser) -> BrowserContext:
    """Without a proxy."""
    return browser.new_context()


@pytest.fixture(scope="module")
def port() -> Iterator[Port]:
    running = Egress(Policy(allow=Names.parse([SITES])), None, 64, 100_000_000)
    running.start()
    yield running.open()
    running.close()


@pytest.fixture(scope="module")
def through(browser: Browser, port: Port) -> BrowserContext:
    """Behind the proxy."""
    return browser.new_context(proxy={"server": port.url})


def sight_of(context: BrowserContext, url: str, case: Case) -> Sight:
    with closing(context.new_page()) as page:
        return _look(page, url, case)


def _look(page: Page, url: str, case: Case) -> Sight:
    ends: list[str] = []
    page.once("requestfinished", lambda request: ends.append(""))
    page.once("requestfailed", lambda request: ends.append(str(request.failure)))
    try:
        page.goto(url, wait_until="commit", timeout=PATIENCE_MS)
    except Error as exc:
        if "net::ERR_" not in exc.message:
            raise
        return Sight(None, False)
    while not ends:
        page.wait_for_timeout(5)
    # A document that is cut stays `loading`.
    page.wait_for_function(_ARRIVED, arg=bool(case.body), timeout=PATIENCE_MS)
    body = page.evaluate("document.body ? document.body.innerText : ''")
    return Sight(body, bool(ends[0]))


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_the_same_with_and_without_the_proxy(
    name: str, direct: BrowserContext, through: BrowserContext, port: Port, site: RawSite
) -> None:
    case, url = ANSWERS[name], f"{site.url}/{quote(name)}"
    before = len(port.notes)
    seen = sight_of(direct, url, case)
    assert sight_of(through, url, case) == seen
    assert (seen.body is None) == (case.body is None)
    assert seen.is_cut == case.is_cut
    notes = [note.reason for note in port.notes[before:]]
    assert notes[:1] == ([case.reason] if case.reason else [])


def test_a_render_takes_what_chromium_takes_and_refuses_the_rest_in_words(
    make_engine: Callable[..., Engine], site: RawSite
) -> None:
    engine = make_engine(pages_per_browser=4, render_deadline_s=60)

    def outcome_of(name: str) -> str:
        request = request_for(engine, url=f"{site.url}/{quote(name)}", width=50, height=50)
        try:
            result = engine.render(request)
        except NavigationFailed as exc:
            return str(exc)
        return "page" if opened(result.data).getpixel((25, 45)) == LIME else "another page"

    def expected_of(case: Case) -> str:
        if case.reason:
            return f"The URL could not be loaded: {case.reason}."
        return "page" if HTML in (case.body or b"") else "another page"

    # How a render sees what is cut is for its page to say.
    cases = {name: case for name, case in ANSWERS.items() if not case.is_cut}
    with ThreadPoolExecutor(4) as pool:
        outcomes = dict(zip(cases, pool.map(outcome_of, cases), strict=True))
    assert outcomes == {name: expected_of(case) for name, case in cases.items()}
