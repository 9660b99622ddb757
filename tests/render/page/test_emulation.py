"""How the page sees itself: told to the page, to frames of other sites in it, and to its worker."""

from collections.abc import Iterator
from typing import Any

import pypdfium2
import pytest

from farm.errors import InvalidRequest
from farm.render import Engine
from farm.request import emulation
from tests.conftest import request_for
from tests.support.images import LIME, RED, is_filled, opened
from tests.support.mirror import ALL, WINDOWS, Mirror, running_mirror


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with running_mirror() as running:
        yield running


def look(engine: Engine, mirror: Mirror, **options: Any) -> Mirror:
    """Render the mirror's page; it has been told all then."""
    query = "?place" if "geolocation" in options else ""
    engine.render(request_for(engine, url=f"{mirror.url}/{query}", **options))
    assert set(mirror.facts) == set(ALL)
    return mirror


def test_a_plain_page_sees_what_it_always_has(engine: Engine, mirror: Mirror) -> None:
    look(engine, mirror)
    assert mirror.values("languages") == [["en-US"]] * 4
    for name in ("dark", "reduced", "forced", "more", "print", "touch", "coarse"):
        assert mirror.values(name, WINDOWS) == [False] * 3


def test_the_user_agent_is_the_one_asked_for(engine: Engine, mirror: Mirror) -> None:
    agent = "Mozilla/5.0 (Linux; Android 14; Thing) Farm/1"
    look(engine, mirror, userAgent=agent)
    assert mirror.values("userAgent") == [agent] * 4
    assert [mirror.headers[who]["user-agent"] for who in ALL] == [agent] * 4
    assert mirror.facts["page"]["platform"] == "Android"


def test_the_locale_is_that_of_scripts_and_headers(engine: Engine, mirror: Mirror) -> None:
    look(engine, mirror, locale="de-DE")
    assert mirror.values("languages") == [["de-DE"]] * 4
    assert mirror.values("number") == ["1.234,5"] * 4
    assert [mirror.headers[who]["accept-language"] for who in ALL] == ["de-DE"] * 4
    assert "HeadlessChrome" in mirror.headers["page"]["user-agent"], "its own"


def test_the_time_zone_is_that_of_dates(engine: Engine, mirror: Mirror) -> None:
    look(engine, mirror, timezone="Asia/Tokyo")
    assert mirror.values("timezone") == ["Asia/Tokyo"] * 4
    assert mirror.values("hour") == [9] * 4


def test_locale_and_time_zone_end_with_the_render(engine: Engine) -> None:
    html = (
        "<script>onload = () => { document.documentElement.style.background ="
        "(1.5).toLocaleString() == '1.5' && new Date(0).getHours() == 0 ? 'lime' : 'red' }</script>"
    )
    engine.render(request_for(engine, html, locale="de-DE", timezone="Asia/Tokyo"))
    assert is_filled(engine.render(request_for(engine, html)).data, LIME)


def test_every_time_zone_that_is_accepted_is_known_to_chromium_or_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulation, "_timezones", lambda: {"Mars/Base"})
    with pytest.raises(InvalidRequest, match=r"options\.timezone: is a time zone that Chromium"):
        engine.render(request_for(engine, "x", timezone="Mars/Base"))


def test_geolocation_is_granted_without_a_prompt(engine: Engine, mirror: Mirror) -> None:
    look(engine, mirror, geolocation={"latitude": 47.4, "longitude": 8.5, "accuracy": 20})
    assert mirror.values("place", WINDOWS) == [[47.4, 8.5, 20]] * 3


def test_geolocation_is_denied_if_none_is_given(engine: Engine, mirror: Mirror) -> None:
    engine.render(request_for(engine, url=f"{mirror.url}/?place"))
    assert all("denied" in told for told in mirror.values("place", WINDOWS))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"colorScheme": "dark"}, "dark"),
        ({"reducedMotion": "reduce"}, "reduced"),
        ({"forcedColors": "active"}, "forced"),
        ({"contrast": "more"}, "more"),
        ({"mediaType": "print"}, "print"),
    ],
)
def test_media_queries_see_what_is_asked_for(
    engine: Engine, mirror: Mirror, options: dict[str, str], name: str
) -> None:
    look(engine, mirror, **options)
    others = {"dark", "reduced", "forced", "more", "print"} - {name}
    assert mirror.values(name, WINDOWS) == [True] * 3
    # High contrast asks for more of it by itself.
    assert not any(mirror.facts["page"][other] for other in others - {"more"})


def test_a_pdf_is_printed_with_the_screens_style_where_that_is_asked_for(engine: Engine) -> None:
    html = "<style>@media screen {html {background: lime}} @media print {html {background: red}}"
    for options, colour in ({"mediaType": "screen"}, LIME), ({}, RED):
        result = engine.render(request_for(engine, html, format="pdf", **options))
        image = pypdfium2.PdfDocument(result.data)[0].render().to_pil().convert("RGB")
        assert image.getpixel((300, 300)) == colour


@pytest.mark.parametrize("source", ["url", "html"])
def test_a_phone_is_emulated_for_html_too(engine: Engine, mirror: Mirror, source: str) -> None:
    if source == "url":
        look(engine, mirror, device="iPhone 15", deviceScaleFactor=1)
    else:
        html = mirror.page(of=WINDOWS)
        engine.render(request_for(engine, html, device="iPhone 15", deviceScaleFactor=1))
    assert mirror.values("touch", WINDOWS) == [True] * 3
    assert mirror.values("points", WINDOWS) == [1] * 3
    assert mirror.values("coarse", WINDOWS) == [True] * 3
    assert mirror.values("screen", WINDOWS) == [[393, 852]] * 3
    page = mirror.facts["page"]
    assert (page["width"], page["orientation"]) == (393, "portrait-primary")
    assert page.get("platform") in ("iOS", None), "hints are for secure contexts"
    assert all("iPhone" in agent for agent in mirror.values("userAgent", WINDOWS))


def test_a_phone_heeds_the_pages_viewport(engine: Engine) -> None:
    wide = "<style>html {background: red} @media (min-width: 900px) {html {background: lime}}"
    narrow = f"<meta name=viewport content='width=device-width'>{wide}"
    for html, colour in (wide, LIME), (narrow, RED):
        result = engine.render(request_for(engine, html, width=390, height=600, mobile=True))
        assert is_filled(result.data, colour)
        assert opened(result.data).size == (390, 600)


NO_SCRIPT = (
    "<!doctype html><style>body {{margin: 0; background: {0}}}</style>"
    "<noscript><style>body {{background: {1}}}</style></noscript>"
    "<body onload='document.body.style.background = `red`'>"
    "<script>document.body.style.background = 'red'</script>"
)


def test_without_scripts_a_page_shows_what_it_has_for_that(engine: Engine) -> None:
    html = NO_SCRIPT.format("red", "lime")
    assert is_filled(engine.render(request_for(engine, html, javaScript=False)).data, LIME)
    assert is_filled(engine.render(request_for(engine, html)).data, RED)


def test_without_scripts_no_frame_runs_any(engine: Engine, mirror: Mirror) -> None:
    engine.render(request_for(engine, url=f"{mirror.url}/no-script", javaScript=False))
    assert set(mirror.facts) == {"no script in page", "no script in frame", "no script in inner"}


def test_images_are_loaded_without_scripts(engine: Engine, mirror: Mirror) -> None:
    html = (
        "<!doctype html><style>body {margin: 0}</style>"
        f"<img src='{mirror.url}/lime.svg' style='width:1280px;height:720px;display:block'>"
    )
    assert is_filled(engine.render(request_for(engine, html, javaScript=False)).data, LIME)


ANIMATED = """<!doctype html><style>
  body { margin: 0 }
  div { width: 40px; height: 40px; background: lime }
  .ends { animation: to-lime 100s 1s forwards; background: red }
  .endless { animation: red 100s infinite }
  .moves { transition: background 100s; background: red }
  .after { transition: width 100s; width: 0 }
  @keyframes to-lime { from { background: red } to { background: lime } }
  @keyframes red { from, to { background: red } }
</style>
<div class=ends></div><div class=endless></div><div class=moves></div><div class=after></div>
<script>
  const host = document.body.appendChild(document.createElement('div'));
  const shadow = host.attachShadow({mode: 'open'});
  shadow.innerHTML = document.querySelector('style').outerHTML + '<div class=ends></div>';
  onload = () => {
    document.body.getBoundingClientRect();
    document.querySelector('.moves').style.background = 'lime';
    const after = document.querySelector('.after');
    // It begins when another one has ended.
    document.querySelector('.moves').ontransitionend = () => { after.style.width = '40px' };
  };
</script>"""


def test_animations_are_at_their_end_where_that_is_asked_for(engine: Engine) -> None:
    def strip(**options: object) -> bytes:
        return engine.render(request_for(engine, ANIMATED, width=40, height=200, **options)).data

    assert is_filled(strip(animations="finish"), LIME)
    assert not is_filled(strip(), LIME)


def test_animations_of_all_frames_are_at_their_end(engine: Engine, mirror: Mirror) -> None:
    options = {"width": 40, "height": 40, "animations": "finish"}
    url = f"{mirror.url}/animated"
    assert is_filled(engine.render(request_for(engine, url=url, **options)).data, LIME)


@pytest.mark.parametrize(
    "options",
    [
        {"colorScheme": "dark"},
        {"locale": "de"},
        {"mobile": True},
        {"javaScript": False},
        {"geolocation": {"latitude": 0, "longitude": 0}},
    ],
)
def test_a_context_with_emulation_is_not_used_again(
    kept_engine: Engine, options: dict[str, object]
) -> None:
    before = kept_engine.status.context_ends.get("remains", 0)
    request = request_for(kept_engine, "x", **options)
    for _ in range(2):
        kept_engine.wait(kept_engine.begin(request, caller="emulated"))
    kept_engine.wait(kept_engine.begin(request_for(kept_engine, "x"), caller="emulated"))
    assert kept_engine.status.context_ends["remains"] >= before + 1
