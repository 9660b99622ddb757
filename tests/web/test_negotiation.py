"""JSON or the file itself."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import NotAcceptable
from farm.formats import FORMATS
from farm.web.negotiation import wants_file


@pytest.mark.parametrize(
    ("accept", "format_", "as_file"),
    [
        (None, "png", False),
        ("*/*", "png", False),
        ("application/json", "png", False),
        ("application/*", "png", False),
        ("image/png", "png", True),
        ("image/*", "webp", True),
        ("IMAGE/PNG", "png", True),
        ("application/pdf", "pdf", True),
        ("image/png, application/json", "png", True),
        ("image/png;q=0.5, application/json", "png", False),
        ("image/avif,image/webp,*/*;q=0.8", "png", False),
        ("image/avif,image/webp,*/*;q=0.8", "webp", True),
        ("image/png;q=0, */*", "png", False),
        ("image/*, application/pdf", "pdf", True),
        ("image/*", "avif", True),
        ("text/html", "html", True),
        ("multipart/related", "mhtml", True),
        ("application/json, text/plain, */*", "html", False),
    ],
)
def test_the_file_is_for_those_who_name_its_type(
    accept: str | None, format_: str, as_file: bool
) -> None:
    assert wants_file(accept, FORMATS[format_]) is as_file


@pytest.mark.parametrize(
    ("accept", "format_"),
    [("image/jpeg", "png"), ("image/*", "pdf"), ("image/*", "html"), ("text/html", "png"), ("image/png;q=0", "png")],
)
def test_another_type_is_not_acceptable(accept: str, format_: str) -> None:
    with pytest.raises(NotAcceptable):
        wants_file(accept, FORMATS[format_])


@given(st.text())
def test_any_accept_header_has_an_answer(accept: str) -> None:
    with suppress(NotAcceptable):
        wants_file(accept, FORMATS["png"])
