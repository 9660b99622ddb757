"""Who asks: clients with pages whose pictures are known, and with jobs that they do not give up."""

import base64
import itertools
import queue
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from PIL import Image

from tests.chaos.asking import Answer, ask
from tests.chaos.grids import SIDE, grid, shows
from tests.instances.deployment import FARM_PORT, FRONT_PORT
from tests.instances.ledger import JOB_CODES, Ledger
from tests.instances.network import Machine
from tests.support.site import Site

#: What a client may be told instead of what it asked for.
_RENDER = frozenset({"busy", "browser_unavailable"})
_QUEUE = _RENDER | {"queue_unavailable", "storage_unavailable"}
#: Longer than nginx waits for an instance.
_PATIENCE_S = 90
_AGAIN_S = 1.0
_GIVE_UP_S = 120.0
_SIZE = {"width": SIDE, "height": SIDE}

Loop = Callable[[random.Random], None]


class Clients:
    """Threads that ask `front` until they are told to stop."""

    def __init__(self, front: Machine, site: Site, ledger: Ledger, seed: int = 1) -> None:
        self._front = (front.address, FRONT_PORT)
        self._site = site
        self._ledger = ledger
        self._seeds = (f"{seed} {number}" for number in itertools.count())
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._pictures: dict[str, Image.Image] = {}
        #: Jobs to be looked at, again and again until they have ended.
        self._open: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._left = 0
        #: The longest that a submission to a renderer that is asked directly took.
        self._there_s = 0.0
        self._lock = threading.Lock()

    def start(self, renders: int = 3, submissions: int = 2) -> None:
        loops: list[Loop] = [
            *[lambda chance: self._render(chance, "good", self._front)] * renders,
            *[lambda chance: self._submit(chance, "submissions", self._front)] * submissions,
            lambda _: self._health("health", self._front),
        ]
        self._threads += [self._started(loop, self._stop) for loop in loops]
        self._threads += [self._started(self._look, self._stop) for _ in range(4)]

    @contextmanager
    def asking(self, machine: Machine) -> Iterator[None]:
        """Ask this renderer too, and not through nginx."""
        over, there = threading.Event(), (machine.address, FARM_PORT)
        loops: list[Loop] = [
            lambda chance: self._render(chance, "renders there", there),
            lambda chance: self._submit(chance, "submissions there", there),
            lambda _: self._health("health there", there),
        ]
        threads = [self._started(loop, over) for loop in loops]
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()
            self._ledger.note(
                f"a submission there was answered after {self._there_s:.1f} s at most"
            )

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def left(self) -> int:
        """Accepted jobs that have not ended."""
        return self._left

    def end_jobs(self, timeout_s: float) -> None:
        """Wait for every accepted job to end, and look at what it made."""
        end = time.monotonic() + timeout_s
        while self._left and time.monotonic() < end:
            self._look(random.Random())
        with self._lock:
            for job_id in self._pictures:
                self._ledger.lose(job_id, f"has not ended {timeout_s:g} s after the last request")

    def look_up(self, job_id: str, timeout_s: float) -> None:
        """How a job ended of which no client has heard."""
        end = time.monotonic() + timeout_s
        code = ""
        while time.monotonic() < end:
            answer = self._ask(self._front, "GET", f"/render-async/{job_id}?wait=5")
            code = answer.code
            if code == "ok" and answer.json["status"] in ("completed", "failed"):
                return
            if code == "not_found":
                break
            time.sleep(_AGAIN_S)
        self._ledger.lose(job_id, f"no client was told of it, and it is {code}")

    def works(self) -> Counter[str]:
        """How often the page of each job was rendered, as the site has seen it."""
        paths = [path for path, _ in self._site.requests if "?job=" in path]
        return Counter(path.partition("?job=")[2] for path in paths)

    def _started(self, loop: Loop, over: threading.Event) -> threading.Thread:
        chance = random.Random(next(self._seeds))

        def repeat() -> None:
            while not over.is_set():
                loop(chance)

        thread = threading.Thread(target=repeat)
        thread.start()
        return thread

    def _render(self, chance: random.Random, kind: str, to: tuple[str, int]) -> None:
        html, picture = grid(chance, self._site.url + "/red.svg")
        accept = chance.choice(["image/png", "application/json"])
        body = {"html": html, "options": _SIZE}
        answer = self._ask(to, "POST", "/render", body, accept)
        right = False
        if answer.status == 200:
            as_json = accept.endswith("json")
            data = base64.b64decode(answer.json["data"]["imageBase64"]) if as_json else answer.body
            right = shows(data, picture)
        self._ledger.answers.count(kind, answer, right, _RENDER)
        if not right:
            self._stop.wait(_AGAIN_S / 4)

    def _submit(self, chance: random.Random, kind: str, to: tuple[str, int]) -> None:
        """A job, sent again with the same key, and then through nginx, until it is accepted."""
        key = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        html, picture = grid(chance, f"{self._site.url}/red.svg?job={key}", always=True)
        body = {"html": html, "options": _SIZE}
        end = time.monotonic() + _GIVE_UP_S
        while time.monotonic() < end:
            more = {"Idempotency-Key": key}
            answer = self._ask(to, "POST", "/render-async", body, more=more)
            if to != self._front:
                self._there_s = max(self._there_s, answer.seconds)
            is_accepted = answer.status == 202
            self._ledger.answers.count(kind, answer, is_accepted, _QUEUE)
            if is_accepted:
                job_id = answer.json["jobId"]
                self._ledger.accept(job_id)
                with self._lock:
                    self._left += job_id not in self._pictures
                    self._pictures[job_id] = picture
                self._open.put(job_id)
                break
            kind, to = "submissions", self._front
            time.sleep(_AGAIN_S)
        self._stop.wait(0.5)

    def _look(self, _: random.Random) -> None:
        """At one job that has not ended."""
        try:
            job_id = self._open.get(timeout=0.5)
        except queue.Empty:
            return
        if not self._has_ended(job_id):
            self._open.put(job_id)

    def _has_ended(self, job_id: str) -> bool:
        answer = self._ask(self._front, "GET", f"/render-async/{job_id}?wait=2")
        if self._is_lost(answer, job_id):
            return True
        state = answer.json["status"] if answer.status == 200 else ""
        self._ledger.answers.count("polls", answer, bool(state), _QUEUE)
        if state:
            self._ledger.see(job_id, state)
        if not state or state == "pending":
            self._stop.wait(0.2)
        if state == "failed":
            self._ledger.answers.count_job(answer.json["code"], JOB_CODES)
            self._done(job_id)
        return state == "failed" or (state == "completed" and self._is_loaded(job_id))

    def _is_loaded(self, job_id: str) -> bool:
        answer = self._ask(self._front, "GET", f"/download/{job_id}")
        if self._is_lost(answer, job_id):
            return True
        is_loaded = answer.status == 200
        self._ledger.answers.count("downloads", answer, is_loaded, _QUEUE)
        if is_loaded:
            right = shows(answer.body, self._pictures[job_id])
            self._ledger.answers.count_job("right" if right else "wrong file", frozenset())
            self._done(job_id)
        return is_loaded

    def _is_lost(self, answer: Answer, job_id: str) -> bool:
        is_lost = answer.code == "not_found"
        if is_lost:
            self._ledger.lose(job_id, "not_found")
            self._done(job_id)
        return is_lost

    def _done(self, job_id: str) -> None:
        with self._lock:
            self._left -= 1
            del self._pictures[job_id]

    def _health(self, kind: str, to: tuple[str, int]) -> None:
        answer = self._ask(to, "GET", "/health")
        self._ledger.answers.count(kind, answer, answer.status == 200, _RENDER)
        self._stop.wait(0.5)

    def _ask(
        self,
        to: tuple[str, int],
        method: str,
        path: str,
        body: object = None,
        accept: str = "*/*",
        more: Mapping[str, str] | None = None,
    ) -> Answer:
        host, port = to
        return ask(port, method, path, body, accept, timeout_s=_PATIENCE_S, host=host, more=more)
