"""What a process answers without a look at the server."""

from dataclasses import replace

from farm.cache import CachedRenderer
from farm.cache.recent import Recent
from farm.cache.value import Stored
from farm.formats import FORMATS
from tests.cache.conftest import MakeRenderer, Server
from tests.cache.outcomes import outcomes, request
from tests.support.farm_process import wait_until

#: So long that it passes in no test.
LONG_S = 1000.0
FILE = Stored(b"12345", FORMATS["png"], 1, 1, "a" * 32, (), {}, age_ms=7, left_ms=100_000)


def test_a_file_gets_older_and_has_less_time_left() -> None:
    recent = Recent(LONG_S)
    recent.put("a", FILE)
    wait_until(lambda: (found := recent.get("a")) is not None and found.age_ms > FILE.age_ms)
    found = recent.get("a")
    assert found is not None
    assert found.age_ms + found.left_ms == FILE.age_ms + FILE.left_ms
    assert recent.get("b") is None


def test_it_is_forgotten_with_its_time_and_when_it_would_not_be_kept_any_more() -> None:
    short, long = Recent(0.05), Recent(LONG_S)
    short.put("a", FILE)
    long.put("a", replace(FILE, left_ms=50))
    wait_until(lambda: short.get("a") is None and long.get("a") is None)
    nothing = Recent(0)
    nothing.put("a", FILE)
    assert nothing.get("a") is None


def test_its_bytes_are_bounded_and_the_oldest_makes_way() -> None:
    recent = Recent(LONG_S, max_bytes=12)
    for key in "abca":
        recent.put(key, FILE)
    assert [key for key in "abc" if recent.get(key)] == ["a", "c"]
    recent.put("large", replace(FILE, content=bytes(13)))
    assert [key for key in ("a", "c", "large") if recent.get(key)] == ["a", "c"]


def kept(renderer: CachedRenderer) -> None:
    assert outcomes(renderer, request(renderer)) == ["miss"]


def test_a_server_that_is_gone_for_a_moment_is_not_missed(
    make_renderer: MakeRenderer, server: Server
) -> None:
    renderer = make_renderer(recent_s=LONG_S)
    kept(renderer)
    server.process.terminate()
    assert outcomes(renderer, request(renderer)) == ["hit"]


def test_what_is_too_old_for_a_request_is_rendered_anew_all_the_same(
    make_renderer: MakeRenderer,
) -> None:
    renderer = make_renderer(recent_s=LONG_S)
    kept(renderer)
    assert renderer.render(request(renderer), anew=True).cache is not None
    key = renderer._keys.of(request(renderer), None)
    assert key is not None
    stored = renderer._recent.get(key)
    assert stored is not None
    renderer._recent.put(key, replace(stored, age_ms=11_000))
    assert outcomes(renderer, request(renderer, ttl=20), request(renderer, ttl=10)) == [
        *("hit", "hit"),  # the server's own is younger
    ]


def test_what_was_not_kept_is_not_remembered(make_renderer: MakeRenderer) -> None:
    for given in ({"store": False}, {"cache_max_file_bytes": 1}):
        renderer = make_renderer(recent_s=LONG_S, **given)
        assert outcomes(renderer, request(renderer), request(renderer)).count("hit") == 0
