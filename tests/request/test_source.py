"""What the page is: which fields may name it together, its address, its files."""

import base64
import json
import tracemalloc
from typing import Any

import pytest

from farm.errors import InvalidRequest, InvalidUrl
from farm.request import HTML, HTML_OR_URL, URL, Asset, Limits, RenderRequest

LIMITS = Limits(deadline_ms=30_000, max_pixels=67_108_864)


def parse(body: dict[str, Any], sources: tuple[str, ...] = HTML_OR_URL) -> RenderRequest:
    return RenderRequest.parse(json.dumps(body).encode(), sources, LIMITS)


def problems(body: dict[str, Any], sources: tuple[str, ...] = HTML_OR_URL) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse(body, sources)
    return {problem.field: problem.problem for problem in caught.value.problems}


def with_assets(assets: object, **fields: object) -> dict[str, object]:
    return {"html": "x", "assets": assets, **fields}


@pytest.mark.parametrize(
    ("body", "sources", "sentence"),
    [
        ({}, HTML, "HTML content is required."),
        ({"html": ""}, HTML, "HTML content is required."),
        ({"markdown": ""}, HTML, "HTML or Markdown content is required."),
        ({}, URL, "A URL is required."),
        ({}, HTML_OR_URL, "HTML content or a URL is required."),
        ({"markdown": ""}, HTML_OR_URL, "HTML or Markdown content, or a URL, is required."),
    ],
)
def test_a_page_that_is_missing_is_asked_for_in_words(
    body: dict[str, Any], sources: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(body, sources)
    assert str(caught.value) == sentence


def test_exactly_one_field_names_the_page() -> None:
    url = "http://a.example/"
    assert problems({"html": "x", "url": url}) == {"url": "not together with html"}
    assert problems({"html": "x", "markdown": "x"}) == {"markdown": "not together with html"}
    assert problems({"url": url, "markdown": "x"}) == {"markdown": "not together with url"}
    assert problems({"html": "x", "url": url, "markdown": "x"}) == {
        "url": "not together with html",
        "markdown": "not together with html",
    }


def test_each_route_knows_the_fields_that_are_for_it() -> None:
    assert parse({"markdown": "# x"}, HTML).markdown == "# x"
    unknown = {"markdown": "x", "baseUrl": "http://a.example/", "assets": {}}
    assert problems({"url": "http://a.example/", **unknown}, URL) == dict.fromkeys(
        unknown, "unknown field"
    )


def test_what_goes_with_html_does_not_go_with_a_url() -> None:
    rest = {"baseUrl": "http://a.example/", "assets": {"a": "b"}}
    assert problems({"url": "http://a.example/", **rest}) == dict.fromkeys(
        rest, "not together with url"
    )


def test_a_base_url_is_one_that_a_browser_could_load() -> None:
    assert parse({"html": "x", "baseUrl": "HTTP://A.example"}).base_url == "http://a.example/"
    for url in ("a.example", "file:///etc/", "http://me:secret@a.example/", "about:blank"):
        with pytest.raises(InvalidUrl):
            parse({"html": "x", "baseUrl": url})


@pytest.mark.parametrize(
    "name", ["logo.png", "css/a.css", "a b.png", "päge.html", "100%.png", "..a", "a..", ".a", "1:2"]
)
def test_an_assets_name_is_a_relative_path(name: str) -> None:
    assert parse(with_assets({name: "x"})).assets == {name: "x"}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "//a.example/b",
        "../x",
        "a/../b",
        "a/..",
        "./a",
        "%2e%2E/x",
        ".%2e/x",
        "a//b",
        "a/",
        "http://a.example/x",
        "data:x",
        "C:x",
        "a?b",
        "a#b",
        "a\\b",
        "a\nb",
        "a\0",
        "x" * 501,
    ],
)
def test_other_names_are_refused_by_name(name: str) -> None:
    found = problems(with_assets({name: "x", "good": "x"}))
    assert list(found) == [f"assets.{name}"]
    assert "relative path" in found[f"assets.{name}"]


@pytest.mark.parametrize(
    ("asset", "field", "says"),
    [
        (5, "assets.a", "must be an object"),
        (None, "assets.a", "must be an object"),
        ([], "assets.a", "must be an object"),
        ({}, "assets.a.base64", "missing"),
        ({"base64": "*"}, "assets.a.base64", "must be base64"),
        ({"base64": "AAA"}, "assets.a.base64", "must be base64"),
        ({"base64": "A==="}, "assets.a.base64", "must be base64"),
        ({"base64": "=AAA"}, "assets.a.base64", "must be base64"),
        ({"base64": "-_-_"}, "assets.a.base64", "must be base64"),
        ({"base64": "", "type": "x"}, "assets.a.type", "unknown field"),
        ({"base64": "", "contentType": "png"}, "assets.a.contentType", "media type"),
        ({"base64": "", "contentType": "a/b\r\nX: y"}, "assets.a.contentType", "media type"),
        ({"base64": "", "contentType": "a/b\n"}, "assets.a.contentType", "media type"),
        ({"base64": "", "contentType": "a/b;" + "x" * 200}, "assets.a.contentType", "200"),
        ("\ud83d", "assets.a", "surrogate"),
    ],
)
def test_an_asset_that_is_none_is_told_what_is_wrong(asset: object, field: str, says: str) -> None:
    found = problems(with_assets({"a": asset}))
    assert list(found) == [field]
    assert says in found[field]


def test_there_are_at_most_256_assets() -> None:
    many = {f"{number}.png": {"base64": "AAAA", "contentType": "a/b"} for number in range(257)}
    assert problems(with_assets(many)) == {"assets": "must be an object of at most 256"}
    del many["0.png"]
    assert len(parse(with_assets(many)).assets) == 256


def test_base64_may_have_line_breaks() -> None:
    data = base64.encodebytes(bytes(1000))
    (asset,) = parse(with_assets({"a": {"base64": data.decode()}})).assets.values()
    assert isinstance(asset, Asset)
    assert base64.b64decode(asset.base64, validate=True) == bytes(1000)


def test_a_large_file_is_checked_without_a_copy() -> None:
    text = "A" * 40_000_000
    tracemalloc.start()
    try:
        asset = Asset.model_validate({"base64": text}, context=LIMITS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert asset.base64 is text
    assert peak < 4_000_000


def test_address_and_files_are_stored_and_decide_what_is_rendered() -> None:
    plain = parse({"html": "x"})
    bodies: list[dict[str, Any]] = [
        {"html": "x", "assets": {"a.png": {"base64": "AAAA", "contentType": "image/png"}}},
        {"html": "x", "assets": {"a.png": {"base64": "AAAA"}}},
        {"html": "x", "assets": {"a.png": "AAAA"}},
        {"html": "x", "baseUrl": "http://a.example/"},
        {"html": "x", "baseUrl": "http://a.example/b"},
        {"markdown": "x"},
    ]
    requests = [parse(body) for body in bodies]
    for body, request in zip(bodies, requests, strict=True):
        assert json.loads(request.to_json()) == body
        assert RenderRequest.from_json(request.to_json(), LIMITS) == request
    assert len({request.identity() for request in [plain, *requests]}) == len(bodies) + 1


def test_no_assets_are_none_at_all() -> None:
    assert parse(with_assets({})).identity() == parse({"html": "x"}).identity()


def test_a_content_type_has_no_line_break() -> None:
    asset = {"base64": "YQ==", "contentType": "image/png\r\n;x"}
    assert list(problems(with_assets({"a.png": asset}))) == ["assets.a.png.contentType"]
