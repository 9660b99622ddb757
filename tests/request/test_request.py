"""From a body to a `RenderRequest`, or to every problem that it has."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from farm.errors import InvalidRequest, InvalidUrl, OutputTooLarge
from farm.formats import FORMATS
from farm.parsing import parse_url
from farm.request import RenderRequest, RenderResult, Timings
from tests.request.parsing import LIMITS, parse, problems, with_options


def test_defaults_are_those_of_the_contract() -> None:
    options = parse({"html": "x"}).options
    assert (options.width, options.height, options.format, options.wait_for) == (
        1280,
        720,
        "png",
        0,
    )


def test_jpg_is_jpeg() -> None:
    assert with_options(format="jpg").options.format == "jpeg"


@pytest.mark.parametrize("html", [None, ""])
def test_no_html_is_missing_html(html: str | None) -> None:
    assert problems({"html": html}) == {"html": "missing"}


def test_the_sentence_for_missing_html_is_the_contracts() -> None:
    with pytest.raises(InvalidRequest, match=r"^HTML content is required\.$"):
        parse({})


def test_all_problems_are_named_at_once() -> None:
    options = {"width": 0, "height": "720", "format": "gif", "waitFor": 30_001, "colour": 3}
    assert problems({"html": "", "options": options, "extra": 1}) == {
        "html": "missing",
        "options.width": "must be an integer from 1 to 16384 (pixels)",
        "options.height": "must be an integer",
        "options.format": "must be one of png, jpeg, webp, avif, pdf, html, mhtml",
        "options.waitFor": "must be an integer from 0 to 30000 (milliseconds)",
        "options.colour": "unknown field",
        "extra": "unknown field",
    }


def test_the_other_routes_field_is_an_unknown_one() -> None:
    assert problems({"html": "x", "url": "http://a.example/"}) == {"url": "unknown field"}
    assert problems({"html": "x", "url": "http://a.example/"}, "url") == {"html": "unknown field"}


@pytest.mark.parametrize("name", ["wait_for", "Width", "WAITFOR"])
def test_names_are_exact(name: str) -> None:
    assert problems({"html": "x", "options": {name: 5}}) == {f"options.{name}": "unknown field"}


@pytest.mark.parametrize("side", [1, 16_384])
def test_sides_have_inclusive_bounds(side: int) -> None:
    assert with_options(width=side, height=1).options.width == side


@pytest.mark.parametrize("value", [0, -1, 16_385, 10**40, 1.5, 1280.0, True, "1280", None, [], {}])
def test_other_sides_are_refused(value: object) -> None:
    assert list(problems({"html": "x", "options": {"width": value}})) == ["options.width"]


def test_a_webp_side_is_one_pixel_shorter() -> None:
    assert with_options(width=16_383, height=1, format="webp").options.width == 16_383
    assert (
        "16383"
        in problems({"html": "x", "options": {"width": 16_384, "format": "webp"}})["options"]
    )


def test_too_many_pixels_are_an_error_of_their_own() -> None:
    with pytest.raises(OutputTooLarge, match="268,435,456"):
        with_options(width=16_384, height=16_384)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not valid JSON"),
        (b'{"html": "x"', "line 1 column 13"),
        (b'{"html": "x"} trailing', "not valid JSON"),
        (b'{"html": "\xff"}', "not UTF-8: byte 10"),
        ('{"html": "x"}'.encode("utf-16"), "not UTF-8"),
        (b'{"html": "x", "options": {"width": NaN}}', "NaN is not a JSON number"),
        (b'{"html": "x", "options": {"width": -Infinity}}', "-Infinity is not a JSON number"),
        (b'{"html": "x", "options": {"width": ' + b"1" * 5000 + b"}}", "out of all bounds"),
        (b"[" * 100_000, "far more values"),
        (b"[]", "must be a JSON object"),
        (b'"html"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"html": "x", "html": "y"}', "html: given more than once"),
        (b'{"html": "x", "options": {"width": 1, "width": 2}}', "width: given more than once"),
        (b'{"html": "\\ud83d"}', "half of a surrogate pair"),
        (b'{"html": ["x"]}', "html: must be a string"),
        (b'{"html": "x", "options": []}', "options: must be an object"),
        (b'{"html": "x", "options": null}', "options: must be an object"),
        (b'{"html": "x", "options": {"format": 5}}', "options.format: must be a string"),
        (
            b'{"html": "x", "options": {"waitFor": -1}}',
            "options.waitFor: must be an integer from 0 to 30000",
        ),
    ],
)
def test_a_bad_body_is_told_what_is_wrong(body: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(body)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"html": "x", ' + b",".join(b'"%d": 1' % n for n in range(100_000)) + b"}",
        b'{"html": "x", "options": [' + b"[]," * 100_000 + b"[]]}",
        b'{"html": [' + b'"",' * 100_000 + b'""]}',
    ],
)
def test_a_body_of_very_many_values_is_refused_before_it_is_parsed(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="far more values"):
        parse(body)


def test_a_body_may_have_some_thousand_values() -> None:
    assert problems(b'{"html": "x", "options": {"list": [' + b'"",' * 9_000 + b'""]}}') == {
        "options.list": "unknown field"
    }


def test_what_stands_in_a_string_is_no_value() -> None:
    html = '{[,]}\\"\n' * 10_000
    assert parse({"html": html}).html == html


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse(b'\xef\xbb\xbf{"html": "x"}').html == "x"


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert parse(b'{"html": "\\ud83d\\ude00"}').html == "\N{GRINNING FACE}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)
OPTIONS = st.dictionaries(
    st.sampled_from(["width", "height", "format", "waitFor", "x"]),
    JSON | st.integers(0, 20_000) | st.sampled_from(["png", "jpg", "webp", "pdf"]),
)


@given(st.fixed_dictionaries({"html": JSON | st.text()}, optional={"options": JSON | OPTIONS}))
def test_any_json_is_a_request_or_an_error_of_the_contract(value: dict[str, Any]) -> None:
    try:
        request = parse(value)
    except (InvalidRequest, OutputTooLarge):
        return
    assert request.html == value["html"]
    options = request.options
    assert options.format in FORMATS
    assert 1 <= options.width <= 16_384
    assert 1 <= options.height <= 16_384
    assert options.width * options.height <= LIMITS.max_pixels


@given(st.binary())
def test_any_bytes_are_a_request_or_an_error_of_the_contract(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse(body)


@pytest.mark.parametrize(
    ("url", "loaded"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTPS://EXAMPLE.com:443/a", "https://example.com/a"),
        ("http://example.com:8080/?q=1#part", "http://example.com:8080/?q=1#part"),
        ("http://münchen.example/", "http://xn--mnchen-3ya.example/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
        ("http://%31%32%37.0.0.1/", "http://127.0.0.1/"),
    ],
)
def test_a_url_is_read_as_a_browser_reads_it(url: str, loaded: str) -> None:
    assert parse({"url": url}, "url").url == loaded


@pytest.mark.parametrize(
    "url",
    [
        "example.com",
        "//example.com",
        "/path",
        "http:example.com",
        "http:/example.com",
        "http:///example.com",
        "http://",
        "http://?x",
        "http:\\\\example.com",
        "http://example.com\\@evil.example/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "view-source:file:///etc/passwd",
        "view-source:http://example.com/",
        "data:text/html,x",
        "javascript:alert(1)",
        "chrome://version",
        "about:blank",
        "blob:http://example.com/x",
        "http://example.com/\nx",
        "http://exa\tmple.com/",
        "http://example.com/\x00",
        "http://user:password@example.com/",
        "http://user@example.com/",
        "http://example.com:99999/",
        "http://[::1%25eth0]/",
        "http://exam ple.com/",
        "http://example.com/" + "x" * 8192,
    ],
)
def test_anything_but_an_absolute_http_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl):
        parse({"url": url}, "url")


def test_a_bad_url_among_other_problems_is_one_of_them() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse({"url": "file:///", "options": {"width": 0}}, "url")
    assert caught.value.code == "invalid_request"
    assert [problem.field for problem in caught.value.problems] == ["url", "options.width"]


@given(st.text() | st.text().map("http://{}".format) | st.text().map("https://a.example/{}".format))
def test_any_text_is_an_http_url_or_refused(text: str) -> None:
    try:
        url = parse_url(text)
    except PydanticCustomError:
        return
    assert url.startswith(("http://", "https://"))
    assert parse_url(url) == url


@pytest.mark.parametrize("length", range(7))
def test_the_size_of_a_result_is_that_of_its_data(length: int) -> None:
    text = base64.b64encode(b"x" * length).decode()
    result = RenderResult(text, FORMATS["png"], 1, 1, Timings())
    assert result.size == len(result.data) == length


def test_only_what_is_asked_for_is_written() -> None:
    request = parse({"html": "x", "options": {"width": 5}})
    written = b'{"html":"x","options":{"width":5}}'
    assert request.to_json() == request.identity() == written


def test_a_report_is_asked_for_in_the_stored_request_too_and_another_request() -> None:
    request = parse({"html": "x", "report": True})
    assert RenderRequest.from_json(request.to_json(), LIMITS).report
    assert request.identity() != parse({"html": "x", "report": False}).identity()
    assert problems({"html": "x", "report": 1}) == {"report": "must be true or false"}


def test_a_request_keeps_what_it_says_of_the_cache() -> None:
    request = parse({"html": "x", "cache": {"ttl": 5}})
    assert RenderRequest.from_json(request.to_json(), LIMITS) == request
    assert request.identity() == parse({"html": "x"}).identity()
    assert request.without_cache().cache != request.cache


def test_all_that_does_not_go_together_is_named_at_once() -> None:
    options = {
        "quality": 5,
        "selector": "a",
        "fullPage": True,
        "waitFor": 2000,
        "timeout": 1000,
        "pdf": {"landscape": True},
    }
    with pytest.raises(InvalidRequest) as caught:
        with_options(**options)
    assert {problem.problem for problem in caught.value.problems} == {
        "png has no quality",
        "selector is not together with fullPage",
        "waitFor must be shorter than timeout",
        "pdf is for the format pdf, not for png",
    }
    assert {problem.field for problem in caught.value.problems} == {"options"}
