"""HTML that took the browser down: refused for a while, and nothing else is."""

import pytest

from farm.errors import PageCrashes
from farm.render.keeping import poison
from farm.render.keeping.poison import Poison


def test_only_the_same_html_is_refused() -> None:
    refused = Poison()
    refused.add("<p>bad")
    with pytest.raises(PageCrashes):
        refused.check("<p>bad")
    refused.check("<p>bad ")
    refused.check(None)


def test_it_is_refused_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(poison.time, "monotonic", lambda: now[0])
    refused = Poison()
    refused.add("<p>bad")
    now[0] = 599.0
    with pytest.raises(PageCrashes):
        refused.check("<p>bad")
    now[0] = 601.0
    refused.check("<p>bad")
    assert len(refused) == 0


def test_a_flood_of_it_takes_no_more_than_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poison, "_MAX_ENTRIES", 3)
    refused = Poison()
    for number in range(5):
        refused.add(str(number))
    assert len(refused) == 3
    refused.check("1")
    with pytest.raises(PageCrashes):
        refused.check("4")


def test_html_that_is_no_unicode_has_a_hash_too() -> None:
    refused = Poison()
    refused.add("\ud800")
    with pytest.raises(PageCrashes):
        refused.check("\ud800")
