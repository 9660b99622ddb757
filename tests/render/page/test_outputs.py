"""What a file may not be larger than."""

import re
from collections.abc import Callable

import pytest

from farm.errors import OutputTooLarge
from farm.render import Engine
from tests.conftest import request_for

MakeEngine = Callable[..., Engine]
PAGE = "<p style='break-after: page'>page"


def test_a_pdf_has_at_most_the_pages_that_are_allowed(make_engine: MakeEngine) -> None:
    engine = make_engine(max_pdf_pages=9)
    assert engine.render(request_for(engine, PAGE * 9, format="pdf")).size > 0
    with pytest.raises(OutputTooLarge, match="more than 9 pages"):
        engine.render(request_for(engine, PAGE * 10, format="pdf"))


def test_a_document_that_is_too_high_is_not_printed(make_engine: MakeEngine) -> None:
    engine = make_engine(max_page_height_px=5000)
    html = "<body style='margin:0'><div style='height:{}px'>"
    assert engine.render(request_for(engine, html.format(5000), format="pdf")).size > 0
    with pytest.raises(OutputTooLarge, match=re.escape("5,001 pixels high")):
        engine.render(request_for(engine, html.format(5001), format="pdf"))
    assert engine.render(request_for(engine, html.format(5001))).size > 0


@pytest.mark.parametrize("format_", ["png", "jpeg", "webp", "pdf"])
def test_a_file_has_at_most_the_bytes_that_are_allowed(
    make_engine: MakeEngine, format_: str
) -> None:
    engine = make_engine(max_output_bytes=100)
    with pytest.raises(OutputTooLarge, match="more than 100 bytes"):
        engine.render(request_for(engine, "<p>hello", format=format_))
