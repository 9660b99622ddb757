"""What is told of a page's requests, from the events that Chromium sends of them."""

from collections.abc import Callable
from typing import Any

import pytest

from farm.egress import Note
from farm.render.page.traffic import Traffic

URL = "http://a.example/"


class Page:
    """Tells `Traffic` of events. It is its own `Sessions`."""

    id = "main"

    def __init__(self) -> None:
        self.sessions = self
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {}

    def on(self, event: str, handler: Callable[[dict[str, Any]], None]) -> None:
        self._handlers[event] = handler

    def begin(self, name: str, url: str = URL, at: float = 0, **more: Any) -> None:
        params = {"requestId": name, "request": {"url": url}, "timestamp": at, "type": "Image"}
        self._handlers["Network.requestWillBeSent"](params | more)

    def finish(self, name: str, at: float = 1, size: int = 10) -> None:
        params = {"requestId": name, "timestamp": at, "encodedDataLength": size}
        self._handlers["Network.loadingFinished"](params)

    def fail(self, name: str, **more: Any) -> None:
        params = {"requestId": name, "timestamp": 1, "errorText": "net::ERR_FAILED"}
        self._handlers["Network.loadingFailed"](params | more)


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def traffic(page: Page) -> Traffic:
    return Traffic(page)  # type: ignore[arg-type]


def test_the_slowest_twenty_are_told_the_slowest_first(page: Page, traffic: Traffic) -> None:
    for n in range(30):
        page.begin(str(n))
        page.finish(str(n), at=n / 10)
    assert [told["ms"] for told in traffic.slowest] == [n * 100.0 for n in range(29, 9, -1)]
    assert (traffic.count, traffic.bytes) == (30, 300)


def test_what_the_request_blocks_is_blocked_and_not_failed(page: Page, traffic: Traffic) -> None:
    page.begin("1")
    page.fail("1", blockedReason="inspector")
    assert traffic.blocked == [{"url": URL, "reason": "the request blocks it"}]
    assert traffic.failed_count == 0


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({}, "net::ERR_FAILED"),
        ({"errorText": "net::ERR_CONNECTION_REFUSED"}, "its host refused the connection"),
        ({"errorText": "net::ERR_CERT_INVALID"}, "its TLS certificate or handshake is not valid"),
        ({"errorText": "net::ERR_ABORTED", "canceled": True}, "the page cancelled it"),
        ({"blockedReason": "mixed-content"}, "the browser blocks it: mixed-content"),
        (
            {"corsErrorStatus": {"corsError": "MissingAllowOriginHeader"}},
            "its site does not allow it to the page's: MissingAllowOriginHeader",
        ),
    ],
)
def test_why_a_request_failed_is_told(
    page: Page, traffic: Traffic, told: dict[str, Any], reason: str
) -> None:
    page.begin("1")
    page.fail("1", **told)
    assert traffic.failed == [{"url": URL, "type": "image", "reason": reason}]


def test_what_the_proxy_noted_is_the_reason(page: Page, traffic: Traffic) -> None:
    page.begin("1")
    page.begin("2", "http://b.example/")
    page.fail("1")
    page.fail("2")
    traffic.explain([Note(True, "A.example", "it is denied"), Note(False, "b.example", "no host")])
    reasons = [told["reason"] for told in traffic.failed]
    assert reasons == ["the egress policy refuses it: it is denied", "no host"]


def test_of_very_many_that_failed_some_are_told_and_all_counted(
    page: Page, traffic: Traffic
) -> None:
    for n in range(70):
        page.begin(str(n))
        page.fail(str(n))
    assert (len(traffic.failed), traffic.failed_count) == (50, 70)


def test_only_redirects_of_the_document_are_told_as_such(page: Page, traffic: Traffic) -> None:
    answer: dict[str, Any] = {"redirectResponse": {"status": 301, "encodedDataLength": 5}}
    loads: dict[str, dict[str, Any]] = {
        "page": {"type": "Document", "frameId": "main"},
        "frame": {"type": "Document", "frameId": "other"},
        "image": {},
    }
    for name, more in loads.items():
        page.begin(name, **more)
        page.begin(name, URL + "there", **more, **answer)
        page.finish(name)
    assert traffic.redirects == [{"url": URL, "status": 301}]
    assert (traffic.count, traffic.bytes) == (6, 45)


@pytest.mark.parametrize("url", ["data:image/png,x", "blob:http://a.example/x", "chrome://x"])
def test_what_does_not_go_over_the_network_does_not_count(
    page: Page, traffic: Traffic, url: str
) -> None:
    page.begin("1", url)
    page.finish("1")
    assert (traffic.count, traffic.slowest) == (0, [])


def test_a_request_that_two_processes_tell_of_is_one(page: Page, traffic: Traffic) -> None:
    page.begin("1")
    page.begin("1")
    page.finish("1")
    page.finish("1")
    assert (traffic.count, traffic.bytes) == (1, 10)
