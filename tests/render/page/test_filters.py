"""Ads, trackers and what asks for consent, as lists know them."""

from pathlib import Path

import pytest

from farm.errors import InvalidRequest
from farm.render import Engine
from farm.render.page import filters
from tests.conftest import request_for
from tests.support.recording_site import running_recording_site

HAS_LISTS = any(folder.exists() for folder in filters._FOLDERS)


@pytest.mark.skipif(not HAS_LISTS, reason="Debian's webext-ublock-origin-chromium is not there")
def test_ads_and_trackers_are_not_asked_for(engine: Engine) -> None:
    with running_recording_site("127.0.0.2") as other:
        html = f"""<img src={other.url}/a.svg>
            <img src="https://securepubads.g.doubleclick.net/a.svg">
            <script src="https://www.google-analytics.com/analytics.js"></script>"""
        result = engine.render(request_for(engine, html, block={"ads": True}))
        blocked = result.facts["blockedRequests"]
        assert blocked["count"] == 2
        assert result.refusals == ()
        assert other.paths() == ["/a.svg"]


def test_without_the_lists_ads_are_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(filters, "_FOLDERS", (tmp_path,))
    filters._read_ad_engine.cache_clear()
    with pytest.raises(InvalidRequest, match=r"^options\.block\.ads: cannot be done here"):
        engine.render(request_for(engine, "x", block={"ads": True}))


def test_consent_is_asked_for_by_hosts_and_those_below_them() -> None:
    assert filters.asks_for_consent("https://cdn.cookielaw.org/x.js", "Script")
    assert filters.asks_for_consent("https://a.mgr.consensu.org/x.js", "Script")
    assert not filters.asks_for_consent("https://www.cookielaw.org/", "Script")
    assert not filters.asks_for_consent("https://notmgr.consensu.org/", "Script")
