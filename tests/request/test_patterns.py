"""Regular expressions of strangers: what they may be, and what they find."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from farm.request.patterns import check_pattern, matches


@pytest.mark.parametrize(
    ("pattern", "url", "found"),
    [
        (r"^https?://([a-z0-9-]+\.)*example\.com/", "https://a.b.example.com/x", True),
        (r"^https?://([a-z0-9-]+\.)*example\.com/", "https://example.com.evil.net/", False),
        (r"https?:\/\/127\.0\.0\.1:(\d+)\/.*", "http://127.0.0.1:8080/", True),
        (r"[a-z]{2,64}$", "http://ab", True),
        (r"a{5}b{9}\{x", "aaaaabbbbbbbbb{x", True),
        (".", "x" * 8_193, False),
        (r"^\w+:[^\w][\W]\D\S\\w", "http://a.\\w", True),
        (r"\w" * 500, "ü" * 500, False),
    ],
)
def test_urls_are_found(pattern: str, url: str, found: bool) -> None:
    assert matches(check_pattern(pattern), url) == found


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "(", "*.", r"a(?=b)", r"(a)\1", r"\pL", "a" * 1_025, "a\nb"),
        *(
            "a{9}{9}",
            "(?x)(a{9}) {9}",
            "a{9}?{9}",
            "(a{9}){9}",
            "(a)?{9}",
            "a{257}",
            "a{200}b{57}",
            "a{,257}",
            "a{1,99999999999999999999}",
            "(?:a|b){2}",
            "(?x)[^a] { 9 9 9 9 }",
            r"(\w*)*" * 17,
        ),
    ],
)
def test_what_may_not_be_is_refused(pattern: str) -> None:
    with pytest.raises(PydanticCustomError):
        check_pattern(pattern)


def test_why_it_is_refused_is_told() -> None:
    with pytest.raises(PydanticCustomError, match="unclosed group"):
        check_pattern("(a")


@given(st.text(alphabet=r"ab(){}[]|*+?^$.\0123,-:", max_size=40), st.text(max_size=30))
def test_a_pattern_is_refused_or_matched(pattern: str, url: str) -> None:
    try:
        checked = check_pattern(pattern)
    except PydanticCustomError:
        return
    assert matches(checked, url) in (True, False)


def test_what_takes_others_long_does_not() -> None:
    assert not matches(check_pattern("(x+x+)+y"), "x" * 8_000)
