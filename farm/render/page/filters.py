"""Lists of requests to block: ads and trackers, and hosts of scripts that ask for consent.

Ads and trackers are those of EasyList and EasyPrivacy (https://easylist.to, CC BY-SA 3.0 or GPL 3),
from Debian's package `webext-ublock-origin-chromium`. Brave's engine reads them.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from farm.render.browser.devtools import DevToolsError, Wait
from farm.render.browser.page import Page

#: Where Debian's releases install the lists.
_FOLDERS = (
    Path("/usr/share/chromium/extensions/ublock-origin/assets/thirdparties/easylist"),
    Path("/usr/share/webext/ublock-origin/assets/thirdparties/easylist"),
)
_LISTS = ("easylist.txt", "easyprivacy.txt")
#: The lists' names for Chromium's types of requests. All other types are `other`.
_TYPES = {
    "Document": "sub_frame",
    "Fetch": "other",
    "Font": "font",
    "Image": "image",
    "Media": "media",
    "Ping": "ping",
    "Script": "script",
    "Stylesheet": "stylesheet",
    "WebSocket": "websocket",
    "XHR": "xmlhttprequest",
}
#: The address of a page that has none, so that all its requests are to other sites.
_NO_ADDRESS = "https://page.invalid/"

#: Hosts, with those below them, that only serve scripts that ask for consent.
_CONSENT_HOSTS = frozenset(
    {
        "app.secureprivacy.ai",
        "app.termly.io",
        "app.usercentrics.eu",
        "cc.cdn.civiccomputing.com",
        "cdn.consentmanager.net",
        "cdn.cookie-script.com",
        "cdn.cookiehub.eu",
        "cdn.cookielaw.org",
        "cdn.ketchjs.com",
        "cdn.privacy-mgmt.com",
        "cdn-cookieyes.com",
        "cmp.inmobi.com",
        "cmp.osano.com",
        "cmp.quantcast.com",
        "consent.cookiebot.com",
        "consent.cookiefirst.com",
        "consent.trustarc.com",
        "consent.truste.com",
        "consentcdn.cookiebot.com",
        "consent-pref.trustarc.com",
        "cookie-cdn.cookiepro.com",
        "cs.iubenda.com",
        "delivery.consentmanager.net",
        "fundingchoicesmessages.google.com",
        "global.ketchcdn.com",
        "mgr.consensu.org",
        "policy.app.cookieinformation.com",
        "privacy-proxy.usercentrics.eu",
        "sdk.privacy-center.org",
        "static.axept.io",
        "transcend-cdn.com",
        "web.cmp.usercentrics.eu",
    }
)


class FiltersMissing(Exception):
    """The lists are not installed. `str()` names the missing package."""


#: Whether a request is in a list, by its URL and its `Paused.kind`.
Listed = Callable[[str, str], bool]


def ads(page: Page, own_url: str | None) -> Listed:
    """Whether a request of a page at `own_url` is an ad or tracker. Raises `FiltersMissing`.

    Reading the lists takes a second or two, once for each process. Other renders go on meanwhile.
    """
    engine: Any = _in_thread(page, _ad_engine)
    source = own_url or _NO_ADDRESS

    def is_ad(url: str, type_: str) -> bool:
        return bool(engine.check_network_urls(url, source, _TYPES.get(type_, "other")).matched)

    return is_ad


def asks_for_consent(url: str, _: str) -> bool:
    labels = (urlsplit(url).hostname or "").split(".")
    return any(".".join(labels[place:]) in _CONSENT_HOSTS for place in range(len(labels)))


_reading = threading.Lock()


def _ad_engine() -> object:
    with _reading:
        return _read_ad_engine()


@cache
def _read_ad_engine() -> object:
    import adblock  # 10 MB that few farms need

    folder = next((each for each in _FOLDERS if (each / _LISTS[0]).exists()), None)
    if folder is None:
        raise FiltersMissing("Debian's webext-ublock-origin-chromium is not installed")
    filters = adblock.FilterSet()
    for name in _LISTS:
        filters.add_filter_list((folder / name).read_text())
    return adblock.Engine(filters)


def _in_thread(page: Page, function: Callable[[], object]) -> object:
    """Call the function in another thread; other renders go on meanwhile. Raises what it raises."""
    loop = asyncio.get_running_loop()
    wait: Wait = page.session.wait()
    future = loop.run_in_executor(None, function)
    future.add_done_callback(lambda _: wait.give())
    try:
        wait.wait()
    except DevToolsError:
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise
    finally:
        page.session.drop(wait)
    return future.result()
