"""Who is told of a job's end, from a body to its value."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import InvalidRequest, InvalidUrl
from farm.request import HTML_OR_URL, Limits, RenderRequest
from farm.request.webhook import MAX_HEADERS
from farm.webhooks import EVENTS, Target

LIMITS = Limits(deadline_ms=30_000, max_pixels=67_108_864)
URL = "https://example.com/hook"


def parse(webhook: object) -> RenderRequest:
    body = json.dumps({"html": "x", "webhook": webhook}).encode()
    return RenderRequest.parse(body, HTML_OR_URL, LIMITS)


def problems(webhook: object) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse(webhook)
    return {each.field: each.problem for each in caught.value.problems}


def target(webhook: dict[str, Any]) -> Target:
    found = parse(webhook).webhook
    assert found is not None
    return found.target


def test_a_url_is_enough() -> None:
    assert target({"url": URL}) == Target(URL, EVENTS, "POST", {}, "record")


def test_all_of_it_survives_storage_and_shows_no_secret() -> None:
    asked = {
        "url": f"{URL}/s3cret",
        "headers": {"Authorization": "s3cret", "Cookie": "s3cret"},
        "events": ["failed", "completed", "failed"],
        "send": "file",
    }
    request = parse(asked)
    assert RenderRequest.from_json(request.to_json(), LIMITS) == request
    assert target(asked).events == ("completed", "failed")
    assert Target.from_dict(json.loads(json.dumps(target(asked).to_dict()))) == target(asked)
    assert "s3cret" not in f"{request!r} {target(asked)!r}"


def test_it_changes_nothing_about_what_is_rendered() -> None:
    without = RenderRequest.parse(b'{"html": "x"}', HTML_OR_URL, LIMITS)
    assert parse({"url": URL}).identity() == without.identity()
    assert parse({"url": URL}).to_json() != without.to_json()


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Connection", "TE", "Transfer-Encoding", "Upgrade", "Expect"),
        *("webhook-id", "Webhook-Signature", "Proxy-Authorization", "Content-Type", "X-Farm-Job"),
    ],
)
def test_headers_that_are_not_the_callers_are_refused(name: str) -> None:
    found = problems({"url": URL, "headers": {name: "s3cret"}})
    assert found == {"webhook.headers": f"{name} is set by the farm alone"}


@pytest.mark.parametrize(
    "headers",
    [
        {"a b": "x"},
        {"": "x"},
        {"A": "x\r\nB: y"},
        {"A": "é"},
        {"A": "x", "a": "y"},
        {"A": "x" * 8_193},
        {"A": "x" * 5_000, "B": "x" * 5_000},
        {f"X-{n}": "x" for n in range(MAX_HEADERS + 1)},
    ],
)
def test_headers_that_cannot_be_sent_are_refused(headers: dict[str, str]) -> None:
    assert list(problems({"url": URL, "headers": headers})) == ["webhook.headers"]


@pytest.mark.parametrize(
    ("webhook", "field"),
    [
        ({}, "webhook.url"),
        ("https://example.com/", "webhook"),
        ({"url": URL, "events": []}, "webhook.events"),
        ({"url": URL, "events": ["started"]}, "webhook.events.0"),
        ({"url": URL, "send": "both"}, "webhook.send"),
        ({"url": URL, "secret": "x"}, "webhook.secret"),
        ({"url": URL, "headers": {"A": 1}}, "webhook.headers.A"),
    ],
)
def test_what_is_wrong_is_named(webhook: object, field: str) -> None:
    assert list(problems(webhook)) == [field]


@pytest.mark.parametrize("url", ["", "/hook", "ftp://example.com/", "https://u:p@example.com/"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl, match=r"^webhook\.url"):
        parse({"url": url})


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=4))
def test_whatever_is_accepted_is_one_line_each(headers: dict[str, str]) -> None:
    try:
        sent = target({"url": URL, "headers": headers}).headers
    except InvalidRequest:
        return
    for name, value in sent.items():
        assert (name + value).isascii()
        assert not set(name + value) & set("\r\n\0")
        assert ":" not in name
