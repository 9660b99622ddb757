"""The document itself, as HTML and as MHTML."""

import email
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from farm.errors import OutputTooLarge
from farm.render import Engine
from farm.request import RenderResult
from tests.conftest import request_for
from tests.render.page.references import CORPUS, shown
from tests.support.site import Site


def rendered(engine: Engine, html: str, format_: str = "html", **options: object) -> RenderResult:
    return engine.render(request_for(engine, html, format=format_, **options))


@pytest.mark.one_in(3)
@pytest.mark.parametrize("path", CORPUS[::10], ids=lambda path: path.stem)
def test_html_is_the_content_that_playwright_has(
    engine: Engine, browser: Browser, path: object
) -> None:
    html = path.read_text()  # type: ignore[attr-defined]
    with shown(browser, html) as page:
        expected = page.content()
    assert rendered(engine, html).data.decode() == expected


def test_html_is_what_scripts_have_made(engine: Engine) -> None:
    html = (
        "<!doctype html><p>x<script>document.body.innerHTML = '<b>\u00fc \U0001f600</b>'</script>"
    )
    result = rendered(engine, html, width=300, height=200)
    expected = "<!DOCTYPE html><html><head></head><body><b>\u00fc \U0001f600</b></body></html>"
    assert result.data.decode() == expected
    assert (result.width, result.height, result.format.name) == (300, 200, "html")


def test_html_is_without_what_the_farm_did_to_it(engine: Engine) -> None:
    for style in ("", ' style="color:red"', ' style=""'):
        tag = f'<input{style} autofocus="">'
        assert tag in rendered(engine, f"<!doctype html>{tag}").data.decode()


def test_half_a_surrogate_pair_is_replaced(engine: Engine) -> None:
    html = "<!doctype html><script>document.title = 'a\\ud83db'</script>"
    assert "<title>a?b</title>" in rendered(engine, html).data.decode()


def test_mhtml_is_one_file_with_what_the_page_has_loaded(engine: Engine, site: Site) -> None:
    site.hold.set()
    result = engine.render(request_for(engine, url=site.url + "/with-slow-image", format="mhtml"))
    message = email.message_from_bytes(result.data)
    assert message.get_content_type() == result.format.media_type
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds[1] == "text/html"
    assert any(kind.startswith("image/") for kind in kinds)


@pytest.mark.parametrize("format_", ["html", "mhtml"])
def test_a_document_has_at_most_the_bytes_that_are_allowed(
    make_engine: Callable[..., Engine], format_: str
) -> None:
    engine = make_engine(max_output_bytes=3000)
    assert rendered(engine, "<p>x", format_).size < 3000
    # Characters of three bytes: too many only once they are encoded.
    for html in ("<p>" + "\u20ac" * 1100, "<p>" + "x" * 4000):
        with pytest.raises(OutputTooLarge, match="more than 3,000 bytes"):
            rendered(engine, html, format_)


def test_an_elements_name_disturbs_no_function_of_the_farms(engine: Engine) -> None:
    assert b'id="hidden"' in rendered(engine, "<p id=hidden>x<input autofocus>").data
