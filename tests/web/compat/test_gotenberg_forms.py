"""Reading gotenberg's forms: whatever is in them, they are a request or an error that says why."""

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import InvalidRequest, NotSupported, OutputTooLarge
from farm.request import Limits, RenderRequest
from farm.web.compat.gotenberg import fields, files, pages, splitting, templates, values
from farm.web.compat.gotenberg.values import Unreadable
from farm.web.forms import parse_form
from tests.web.compat.forms import CONTENT_TYPE, Part, form

LIMITS = Limits(deadline_ms=30_000, max_pixels=50_000_000)
NAMES = [field.name for field in (*fields.COMMON, *fields.PDF, *fields.SCREENSHOT)]
#: What fields may have in them, and what comes near it.
TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            *("true", "0", "1.5", "-1", "1e999", "nan", "10mm", "5s", "1-2", "2-", "intervals"),
            *("pages", "[404]", '["a.b"]', '{"a": "b"}', '{"Author": ["a", 1]}', "[[[]]]"),
            *('[{"name": "a", "value": "b", "domain": "c"}]', '{"X": "a;scope=[a-z]+"}'),
            *("print", "jpeg", "null", "{}", "PDF/A-1b", '{"a": "\\ud800"}', "[1e400]"),
        ]
    ),
)


def read(read_page: pages.Read, parts: list[Part]) -> RenderRequest:
    body = form(parts)
    return read_page(pages.Source(parse_form(body, CONTENT_TYPE), LIMITS)).request_to_render


@given(st.lists(st.tuples(st.sampled_from(NAMES), TEXTS), max_size=8), st.booleans())
def test_whatever_a_form_says_it_is_a_request_or_a_sentence(
    given_fields: list[tuple[str, str]], is_pdf: bool
) -> None:
    parts: list[Part] = [("files", "x", "index.html"), *given_fields]
    with suppress(InvalidRequest, NotSupported, OutputTooLarge):
        request = read(pages.of_html(is_pdf), parts)
        assert (request.options.format == "pdf") == is_pdf


@given(st.binary(max_size=50), st.text(max_size=20))
def test_whatever_a_file_is_the_form_is_read(data: bytes, name: str) -> None:
    name = name.replace('"', "").replace("\r", "").replace("\n", "")
    parts: list[Part] = [("files", data, "index.html"), ("files", data, name)]
    with suppress(InvalidRequest):
        read(pages.of_html(True), parts)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2.5s", 2.5), ("1m30s", 90), ("300ms", 0.3), ("-1h", -3600), ("+.5s", 0.5), ("0", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert values.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("foo", 'time: invalid duration "foo"'),
        ("5", 'time: missing unit in duration "5"'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
        ("1s2", 'time: missing unit in duration "1s2"'),
        (".s", 'time: invalid duration ".s"'),
        ("-", 'time: invalid duration "-"'),
        pytest.param("9" * 400 + "s", f'time: invalid duration "{"9" * 400}s"', id="endless"),
    ],
)
def test_what_is_no_duration(text: str, says: str) -> None:
    with pytest.raises(Unreadable) as caught:
        values.seconds(text)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("foo", "invalid character 'o' in literal false (expecting 'a')"),
        ("nul", "unexpected end of JSON input"),
        (" ", "unexpected end of JSON input"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ("truee", "invalid character 'e' after top-level value"),
        ("[" + "[]," * 20_000 + "1]", "it has far more values than such a field can have"),
    ],
)
def test_what_is_no_json(text: str, says: str) -> None:
    with pytest.raises(Unreadable) as caught:
        values.json_value(text)
    assert str(caught.value) == says


@given(st.text(max_size=20))
def test_a_text_is_read_or_not(text: str) -> None:
    readers = (values.boolean, values.integer, values.number, values.inches, values.seconds)
    for reader in (*readers, values.json_value):
        with suppress(Unreadable):
            reader(text)


def test_lengths_have_units() -> None:
    lengths = ("1in", "72pt", "96px", "25.4mm", "2.54cm", "6pc", "1")
    assert [values.inches(text) for text in lengths] == pytest.approx([Fraction(1)] * 7)


# Which pages.


@given(st.integers(1, 40), st.integers(1, 40))
def test_intervals_have_every_page_once(span: int, count: int) -> None:
    parts = splitting.parts({"splitMode": "intervals", "splitSpan": str(span)}, count)
    assert parts is not None
    assert [page for part in parts for page in part] == list(range(count))
    assert all(len(part) == span for part in parts[:-1])


@pytest.mark.parametrize(
    ("span", "found"),
    [("2-", [[1], [2]]), ("-2", [[0], [1]]), ("3,1", [[2], [0]]), ("2-9", [[1], [2]])],
)
def test_pages_are_chosen(span: str, found: list[list[int]]) -> None:
    asked = {"splitMode": "pages", "splitSpan": span, "splitUnify": False}
    assert splitting.parts(asked, 3) == found
    unified = [[page for part in found for page in part]]
    assert splitting.parts(asked | {"splitUnify": True}, 3) == unified


def test_pages_are_named_a_bounded_number_of_times() -> None:
    span = ",".join(["1-"] * 1_000_000)
    with pytest.raises(InvalidRequest, match="more than 10,000 pages"):
        splitting.parts({"splitMode": "pages", "splitSpan": span, "splitUnify": True}, 1_000)


@pytest.mark.parametrize("span", ["", "foo", "-", "3-2", "0", "1,", "9-10"])
def test_a_span_that_is_none_is_refused(span: str) -> None:
    with pytest.raises(InvalidRequest):
        splitting.parts({"splitMode": "pages", "splitSpan": span, "splitUnify": False}, 3)


# Templates.


def filled(html: str, **markdown: str) -> str:
    found = {f"{name}.md": text.encode() for name, text in markdown.items()}
    return templates.filled(html, found, lambda text, within_s: f"[{text}]")


@pytest.mark.parametrize(
    ("html", "becomes"),
    [
        ('a {{ toHTML "a.md" }} b', "a [A] b"),
        ("a {{- toHTML `a.md` -}} b", "a[A]b"),
        ('{{"a.md"|toHTML}}{{/* a comment */}}', "[A]"),
        ("nothing", "nothing"),
        ("{ { }} {", "{ { }} {"),
        ("x{{- `a.md` | toHTML -}} {{- `a.md` | toHTML }} y", "x[A][A] y"),
    ],
)
def test_templates_are_filled(html: str, becomes: str) -> None:
    assert filled(html, a="A") == becomes


def test_other_actions_are_refused() -> None:
    with pytest.raises(NotSupported, match="range"):
        filled("{{ range .x }}{{ end }}")


def test_all_missing_files_are_named() -> None:
    with pytest.raises(InvalidRequest, match=r"'b\.md'\n'c\.md'"):
        filled('{{ toHTML "b.md" }}{{ toHTML "c.md" }}', a="A")


@pytest.mark.parametrize("html", ["{{", 'x {{ toHTML "a.md"', "{{" + " " * 2_000 + "}}"])
def test_an_action_without_an_end_is_refused(html: str) -> None:
    with pytest.raises(InvalidRequest, match="has no end"):
        filled(html)


def test_a_template_takes_time_by_its_length_alone() -> None:
    space = " " * 5_000_000
    assert filled(space + '{{ toHTML "a.md" }}' + space, a="A") == f"{space}[A]{space}"


def test_a_file_is_converted_once() -> None:
    asked: list[str] = []

    def convert(text: str, _: float) -> str:
        asked.append(text)
        return text

    templates.filled('{{ toHTML "a.md" }}' * 9, {"a.md": b"A"}, convert)
    assert asked == ["A"]


def test_a_template_does_not_grow_beyond_a_body() -> None:
    with pytest.raises(InvalidRequest, match="would have more than"):
        filled('{{ toHTML "a.md" }}' * 1_000, a="A" * 100_000)


@given(st.text(alphabet='{}"`-a. toHTML|', max_size=60))
def test_whatever_a_template_is_it_ends(html: str) -> None:
    with suppress(InvalidRequest, NotSupported):
        filled(html, a="A")


# Files.


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("ü".encode(), "ü"),
        ("\ufeffü".encode(), "ü"),
        ("ü".encode("utf-16"), "ü"),
        ("ü".encode("cp1252"), "ü"),
        (b"<meta charset=iso-8859-2>\xb1", "<meta charset=iso-8859-2>ą"),
        # Codecs of Python's that are no charsets of the web.
        (b"<meta charset=punycode>a-b\xff", "<meta charset=punycode>a-bÿ"),
        (b"<meta charset=unicode_escape>\\ud800\xff", "<meta charset=unicode_escape>\\ud800ÿ"),
        (b"<meta charset=nonsense>\xfc", "<meta charset=nonsense>ü"),
    ],
)
def test_html_has_the_charset_that_it_says(data: bytes, text: str) -> None:
    assert files.html_text(data).removeprefix("\ufeff") == text
