"""Pages that took the browser down: refused for a while, and nothing else is."""

from typing import Any

import pytest

from farm.errors import PageCrashes
from farm.render.keeping import poison
from farm.render.keeping.poison import Poison
from farm.request import RenderRequest


def html(text: str, **fields: Any) -> RenderRequest:
    return RenderRequest.model_construct(html=text, **fields)


def test_the_same_html_with_other_files_is_another_page() -> None:
    refused = Poison()
    refused.add(html("x", assets={"a.js": "bad"}))
    with pytest.raises(PageCrashes):
        refused.check(html("x", assets={"a.js": "bad"}))
    refused.check(html("x", assets={"a.js": "good"}))
    refused.check(html("x", base_url="http://a.example/"))
    refused.check(html("x"))


def test_only_the_same_html_is_refused() -> None:
    refused = Poison()
    refused.add(html("<p>bad"))
    with pytest.raises(PageCrashes):
        refused.check(html("<p>bad"))
    refused.check(html("<p>bad "))
    refused.check(RenderRequest.model_construct(url="http://a.example/"))


def test_it_is_refused_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    refused = Poison()
    refused.add(html("<p>bad"))
    now[0] = 599.0
    with pytest.raises(PageCrashes):
        refused.check(html("<p>bad"))
    now[0] = 601.0
    refused.check(html("<p>bad"))
    assert len(refused) == 0


def test_the_memory_of_refused_pages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poison, "_MAX_ENTRIES", 3)
    refused = Poison()
    for number in range(5):
        refused.add(html(str(number)))
    assert len(refused) == 3
    refused.check(html("1"))
    with pytest.raises(PageCrashes):
        refused.check(html("4"))


def test_html_with_lone_surrogates_has_a_hash() -> None:
    refused = Poison()
    refused.add(html("\ud800"))
    with pytest.raises(PageCrashes):
        refused.check(html("\ud800"))
