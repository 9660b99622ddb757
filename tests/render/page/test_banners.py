"""Banners that ask for consent to cookies are not in the picture."""

from farm.render import Engine
from farm.render.page.banners import banner_rules
from tests.conftest import request_for
from tests.support.images import LIME, colour


def test_cookie_banners_are_hidden_and_their_scripts_not_loaded(engine: Engine) -> None:
    banner = "position: fixed; inset: 0; background: red"
    html = f"""<body style="background: lime; overflow: hidden; height: 3000px">
        <script src="https://cdn.cookielaw.org/scripttemplates/otSDKStub.js"></script>
        <div id="onetrust-consent-sdk" style="{banner}"></div>
        <div class="cky-consent-container" style="{banner} !important"></div>"""
    shown = engine.render(request_for(engine, html.replace("cdn.cookielaw.org", "127.0.0.2:1")))
    assert colour(shown.data, 600, 600) != LIME
    result = engine.render(request_for(engine, html, block={"cookieBanners": True}))
    assert colour(result.data, 600, 600) == LIME
    assert result.facts["blockedRequests"]["count"] == 1
    assert result.refusals == ()


def test_a_page_without_a_banner_is_left_as_it_is(engine: Engine) -> None:
    html = "<body class='cookie-banner' style='background: lime; overflow: hidden'>"
    result = engine.render(request_for(engine, html, block={"cookieBanners": True}))
    assert colour(result.data, 600, 600) == LIME
    assert result.data == engine.render(request_for(engine, html)).data


def test_some_rules_are_for_some_sites_only() -> None:
    everywhere = banner_rules("https://example.com/")
    assert len(everywhere) > 200
    assert len(banner_rules("https://www.ticketsource.com/")) > len(everywhere)
