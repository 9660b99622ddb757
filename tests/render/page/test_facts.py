"""What every answer tells of the document that was captured."""

from collections.abc import Callable

import pytest

from farm.render import Engine
from tests.conftest import request_for
from tests.support.site import Site

GRIN = "\N{GRINNING FACE}"


def test_html_has_a_title_and_neither_a_url_nor_a_status(engine: Engine) -> None:
    result = engine.render(request_for(engine, "<title>Invoice 7</title><h1>x"))
    assert result.facts == {"title": "Invoice 7"}


def test_a_page_without_a_title_tells_none(engine: Engine) -> None:
    assert engine.render(request_for(engine, "<h1>x")).facts == {}


def test_the_final_url_is_reported(engine: Engine, site: Site) -> None:
    result = engine.render(request_for(engine, url=f"{site.url}/redirect?to=/missing"))
    assert result.facts == {"finalUrl": f"{site.url}/missing", "status": 404}


@pytest.mark.parametrize(
    ("script", "path"),
    [
        ("location = '/'", "/"),
        ("history.pushState(null, '', '/pushed?q=1')", "/pushed?q=1"),
        ("location.hash = 'part'", "/start#part"),
    ],
)
def test_a_page_that_goes_elsewhere_is_told_where_it_is(
    engine: Engine, site: Site, script: str, path: str
) -> None:
    site.pages = {"/start": f"<script>onload = () => {{ {script} }}</script>"}
    facts = engine.render(request_for(engine, url=site.url + "/start")).facts
    assert (facts["finalUrl"], facts["status"]) == (site.url + path, 200)


def test_the_fragment_of_a_url_is_told(engine: Engine, site: Site) -> None:
    facts = engine.render(request_for(engine, url=site.url + "/#part")).facts
    assert facts["finalUrl"] == site.url + "/#part"


def test_a_page_of_no_site_has_no_status(engine: Engine, site: Site) -> None:
    site.pages = {"/start": "<script>onload = () => { location = 'about:blank' }</script>"}
    facts = engine.render(request_for(engine, url=site.url + "/start")).facts
    assert facts == {"finalUrl": "about:blank"}


def test_a_password_in_the_url_is_not_told(make_engine: Callable[..., Engine], site: Site) -> None:
    engine = make_engine(url_credentials="allow")
    url = site.url.replace("://", "://ada:secret@") + "/?q=1"
    assert engine.render(request_for(engine, url=url)).facts["finalUrl"] == site.url + "/?q=1"


@pytest.mark.parametrize(
    ("html", "title"),
    [
        (f"<title>{'x' * 299}{GRIN}{GRIN}</title>", "x" * 299),
        (f"<title>{'x' * 298}{GRIN}{GRIN}</title>", "x" * 298 + GRIN),
        ("<script>document.title = 'by a script'</script>", "by a script"),
        ("<title>real</title><form name=title></form><img name=title>", "real"),
        ("<script>document.title = 'a\\ud83db'</script>", "ab"),
        ("<title>real</title><script>while (!document.title);</script>", "real"),
    ],
    ids=["cut", "whole character", "by a script", "shadowed", "half a character", "script"],
)
def test_a_title_is_the_documents_own_and_cut(engine: Engine, html: str, title: str) -> None:
    assert engine.render(request_for(engine, html)).facts["title"] == title


def test_a_title_is_that_of_the_moment_of_the_capture(engine: Engine) -> None:
    html = "<title>early</title><script>setTimeout(() => document.title = 'late', 50)</script>"
    assert engine.render(request_for(engine, html, waitFor=200)).facts["title"] == "late"


def test_a_title_of_the_document_before_is_not_told(engine: Engine, site: Site) -> None:
    site.pages = {
        "/start": "<title>before</title><script>onload = () => { location = '/' }</script>"
    }
    assert "title" not in engine.render(request_for(engine, url=site.url + "/start")).facts
