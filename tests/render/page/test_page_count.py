"""Counting a PDF's pages."""

import pytest

from farm.render import Engine
from farm.render.page.page_count import page_count
from tests.conftest import request_for

PAGE = "<p style='break-after: page'>page"
#: What would be found by a search for it.
DECOY = "<html lang='/Pages 1 0 R'><title>endobj /Type /Pages /Count 9 trailer</title>"


def pdf(engine: Engine, html: str) -> bytes:
    return engine.render(request_for(engine, html, format="pdf")).data


@pytest.mark.parametrize("pages", [1, 8, 9, 65])
def test_every_page_is_counted(engine: Engine, pages: int) -> None:
    assert page_count(pdf(engine, PAGE * pages)) == pages


def test_what_the_document_says_of_pages_is_not_counted(engine: Engine) -> None:
    assert page_count(pdf(engine, DECOY + PAGE * 3)) == 3


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.4\n%%EOF", b"\x89PNG", b"trailer startxref 0 %%EOF"]
)
def test_a_pdf_that_is_not_chromiums_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a PDF"):
        page_count(data)
