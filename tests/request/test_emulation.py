"""How the page sees itself, as it is asked for: what is refused, and what a device stands for."""

from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from farm.request import RenderOptions, RenderRequest
from farm.request.devices import devices
from tests.request.parsing import LIMITS, problems, with_options

NO_TIMEZONE = "must be a name of the IANA time zone database, such as Europe/Zurich"
NO_LOCALE = "must be a BCP 47 language tag, such as de-CH"


def options_of(**options: object) -> RenderOptions:
    return with_options(**options).options


@pytest.fixture(scope="module")
def playwrights_devices() -> dict[str, Any]:
    with sync_playwright() as playwright:
        return dict(playwright.devices)


def test_every_device_of_playwright_is_known(playwrights_devices: dict[str, Any]) -> None:
    assert set(devices()) == set(playwrights_devices)
    for name, device in playwrights_devices.items():
        options = options_of(device=name)
        viewport = device["viewport"]
        assert (options.width, options.height) == (viewport["width"], viewport["height"])
        assert options.device_scale_factor == min(4, device["device_scale_factor"])
        assert options.user_agent == device["user_agent"]
        assert options.mobile == device["is_mobile"]
        assert options.touch == device["has_touch"]
        if "screen" in device:
            assert options.screen is not None
            assert options.screen.model_dump() == device["screen"]


def test_a_device_is_the_same_request_as_what_it_stands_for() -> None:
    named = with_options(device="Pixel 7")
    spelled = with_options(**devices()["Pixel 7"])
    assert named.to_json() == spelled.to_json()
    assert RenderRequest.from_json(named.to_json(), LIMITS) == named


def test_what_is_given_beside_a_device_wins_also_if_it_is_the_default() -> None:
    options = options_of(device="Pixel 7", width=1280, touch=False, userAgent="mine")
    assert (options.width, options.height) == (1280, 839)
    assert (options.mobile, options.touch, options.user_agent) == (True, False, "mine")
    stored = with_options(device="Pixel 7", width=1280).to_json()
    assert RenderRequest.from_json(stored, LIMITS).options.width == 1280


def test_a_name_like_a_devices_is_offered_the_right_ones() -> None:
    found = problems({"html": "x", "options": {"device": "iphone15", "width": 0}})
    assert found["options.device"].startswith("must be a name of Playwright's list of devices; ")
    assert "iPhone 15" in found["options.device"]
    assert "options.width" in found


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("device", "zzzzqqq", "must be a name of Playwright's list of devices"),
        ("device", 15, "must be a string"),
        ("device", None, "must be a string"),
        ("mobile", 1, "must be true or false"),
        ("userAgent", "a\r\nCookie: b", "must be printable ASCII, without spaces around it"),
        ("userAgent", " a", "must be printable ASCII, without spaces around it"),
        ("userAgent", "", "must be a string of 1 to 1,000 (characters)"),
        ("locale", "german", NO_LOCALE),
        ("locale", "de_CH", NO_LOCALE),
        ("locale", "de,en;q=0.5", NO_LOCALE),
        ("timezone", "Mars/Base", NO_TIMEZONE),
        ("timezone", "../etc/x", NO_TIMEZONE),
        ("colorScheme", "blue", "must be one of light, dark"),
        ("reducedMotion", "yes", "must be one of no-preference, reduce"),
        ("forcedColors", True, "must be one of none, active"),
        ("contrast", "custom", "must be one of no-preference, more, less"),
        ("mediaType", "tty", "must be one of screen, print"),
        ("javaScript", "no", "must be true or false"),
        ("animations", "disabled", "must be one of run, finish"),
    ],
)  # fmt: skip
def test_what_no_page_can_see_is_refused(option: str, value: object, problem: str) -> None:
    assert problems({"html": "x", "options": {option: value}}) == {f"options.{option}": problem}


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ({"longitude": 8.5}, "latitude"),
        ({"latitude": 91, "longitude": 8.5}, "latitude"),
        ({"latitude": 47.4, "longitude": -180.5}, "longitude"),
        ({"latitude": 47.4, "longitude": 8.5, "accuracy": -1}, "accuracy"),
        ({"latitude": 47.4, "longitude": 8.5, "altitude": 400}, "altitude"),
    ],
)
def test_a_place_that_is_not_on_earth_is_refused(place: dict[str, float], field: str) -> None:
    found = problems({"html": "x", "options": {"geolocation": place}})
    assert list(found) == [f"options.geolocation.{field}"]


@pytest.mark.parametrize(
    "locale", ["de", "de-CH", "zh-Hant-TW", "es-419", "sl-rozaj", "ar-u-nu-arab"]
)
def test_language_tags_are_accepted(locale: str) -> None:
    assert options_of(locale=locale).locale == locale


def test_all_of_it_survives_being_stored() -> None:
    request = with_options(
        mobile=True,
        touch=True,
        screen={"width": 400, "height": 800},
        userAgent="mine",
        locale="de-CH",
        timezone="Europe/Zurich",
        geolocation={"latitude": 47, "longitude": 8.5},
        colorScheme="dark",
        reducedMotion="reduce",
        forcedColors="active",
        contrast="more",
        mediaType="print",
        javaScript=False,
        animations="finish",
    )
    assert RenderRequest.from_json(request.to_json(), LIMITS) == request
