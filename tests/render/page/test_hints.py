"""What the words of HTML tell of a page."""

import pytest

from farm.render.page.hints import MOST_SEARCHED, Hints


@pytest.mark.parametrize(
    "html",
    [
        "<SCRIPT>1</SCRIPT>",
        "<body onload='go()'>",
        "<body\nonLoad = go()>",
        '<img src="a"onerror=go()>',
        "<img/onerror=go()>",
        "<img loading=lazy>",
        "<p style='content-visibility: auto'>",
    ],
)
def test_html_that_may_load_when_it_is_drawn(html: str) -> None:
    assert Hints(html).may_load_late


@pytest.mark.parametrize("html", ["", "<p>Buttons = on", "<p data-reason=1>", "onload="])
def test_html_that_loads_nothing_late(html: str) -> None:
    hints = Hints(html)
    assert not hints.may_load_late
    assert not hints.may_have_scripts


@pytest.mark.parametrize(
    "script",
    [
        "location.reload()",
        "location = '?x'",
        "location += '?x'",
        "location.href = location.href",
        "location.search += 'x'",
        "location?.reload()",
        "location .reload()",
        "location\n  .replace(url)",
        "window.location.assign('')",
        "history.go(0)",
        "history .back()",
        "navigation.reload()",
        "open(document.URL, '_self')",
        "form.requestSubmit()",
        "link.click()",
        "document.write('<meta http-equiv=Refresh content=1>')",
    ],
)
def test_scripts_that_are_likely_to_reload_their_page(script: str) -> None:
    assert Hints(script).is_likely_to_reload


@pytest.mark.parametrize(
    "script",
    [
        "location.href === 'about:blank'",
        "location.search == ''",
        "if (location.hash !== '') show()",
        "history.length",
        "history.pushState({}, '', '#')",
        "text.replace('a', 'b')",
    ],
)
def test_scripts_that_only_read_where_they_are(script: str) -> None:
    assert not Hints(script).is_likely_to_reload


@pytest.mark.parametrize("html", ["<A href=''>", "<area>", "<form>"])
def test_what_a_click_may_follow(html: str) -> None:
    assert Hints(html).is_likely_to_reload_by_click
    assert not Hints("<abbr><article>a form").is_likely_to_reload_by_click


def test_very_long_html_may_do_anything_and_is_not_taken_to_reload() -> None:
    hints = Hints("location.reload() <form>" + " " * MOST_SEARCHED)
    assert hints.may_load_late
    assert hints.may_have_scripts
    assert not hints.is_likely_to_reload
    assert not hints.is_likely_to_reload_by_click
    assert not hints.may_refresh
