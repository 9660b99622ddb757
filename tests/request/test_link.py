"""What a link may ask for: what `/render` may be asked for, but one file, and an expiry."""

from typing import Any

import pytest

from farm.errors import FarmError, InvalidRequest, InvalidUrl, OutputTooLarge
from farm.links import VERSION, pack
from farm.request import Limits, Link

LIMITS = Limits(deadline_ms=30_000, max_pixels=1_000_000)


def read(**fields: Any) -> Link:
    return Link.read(pack(fields), LIMITS)


@pytest.mark.parametrize(
    "source", [{"html": "<p>x"}, {"markdown": "# x"}, {"url": "https://example.com/"}]
)
def test_the_page_may_be_named_in_each_way(source: dict[str, str]) -> None:
    link = read(**source, options={"width": 300}, cache={"ttl": 5})
    assert link.expires_at is None
    assert link.request.options.width == 300
    assert link.request.cache is not None
    assert link.request.cache.ttl == 5
    assert {name: getattr(link.request, name) for name in source} == source


def test_it_may_have_an_expiry() -> None:
    assert read(html="x", exp=1_800_000_000).expires_at == 1_800_000_000


@pytest.mark.parametrize("value", [0, -1, 1.5, "1800000000", True, None, [], 1 << 54])
def test_an_expiry_is_an_integer(value: Any) -> None:
    with pytest.raises(InvalidRequest, match="exp: must be an integer from 1"):
        read(html="x", exp=value)


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        ({"webhook": {"url": "https://a.example"}}, InvalidRequest, "webhook: is for jobs"),
        ({"report": True}, InvalidRequest, "report: is told in JSON"),
        ({"outputs": [{}]}, InvalidRequest, "outputs: is not for links"),
        ({"options": {"width": 0}}, InvalidRequest, "options.width: must be an integer"),
        ({"url": "https://a.example"}, InvalidRequest, "url"),
        ({"expires": 1}, InvalidRequest, "expires: unknown field"),
        ({"html": ""}, InvalidRequest, "content"),
        ({"options": {"width": 2000, "height": 2000}}, OutputTooLarge, "pixels"),
    ],
)
def test_what_is_wrong_is_told(fields: dict[str, Any], error: type[FarmError], says: str) -> None:
    with pytest.raises(error, match=says):
        read(**{"html": "x", **fields})


def test_a_wrong_url_is_told() -> None:
    with pytest.raises(InvalidUrl):
        read(url="ftp://a.example")


def test_a_payload_that_cannot_be_read_is_told() -> None:
    with pytest.raises(InvalidRequest, match="The link's payload must begin with 1"):
        Link.read("2abc", LIMITS)
    with pytest.raises(InvalidRequest, match="The link's payload is not"):
        Link.read(VERSION + "!", LIMITS)
