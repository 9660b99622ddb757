"""Who sends: good clients that check every pixel, bad and slow ones, jobs, the health check."""

import base64
import random
import threading
import time
from collections.abc import Callable

from PIL import Image

from tests.chaos.asking import Answer, ask
from tests.chaos.corpus import CORPUS
from tests.chaos.grids import SIDE, grid, shows
from tests.chaos.ledger import Ledger
from tests.chaos.slow import hold
from tests.support.site import Site

#: What a good render may be told instead.
_PASSING = frozenset({"busy", "browser_unavailable"})
_QUEUE = frozenset({"busy", "queue_unavailable", "storage_unavailable"})


class Clients:
    """Threads that send until they are told to stop. `patience_s`: a client's own timeout."""

    def __init__(
        self, port: int, site: Site, ledger: Ledger, seed: int, good_codes: frozenset[str]
    ) -> None:
        """`good_codes`: what a good render may be told, for what is done to its page."""
        self._port = port
        self._site = site
        self._ledger = ledger
        self._seed = seed
        self._good_codes = _PASSING | good_codes
        self._patience_s = ledger.deadline_s + 30
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        #: Accepted jobs that have not ended, each with its picture.
        self.jobs: dict[str, Image.Image] = {}

    def start(self, good: int, bad: int) -> None:
        loops: list[Callable[[random.Random], None]] = [
            *[self._good] * good,
            *[self._bad] * bad,
            self._submit,
            self._health,
            self._hold,
        ]
        for number, loop in enumerate(loops):
            chance = random.Random(f"{self._seed} {number}")
            self._threads.append(threading.Thread(target=self._repeat, args=(loop, chance)))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def end_jobs(self, timeout_s: float) -> None:
        """Wait for every accepted job to end, and look at what it made."""
        end = time.monotonic() + timeout_s
        while self.jobs and time.monotonic() < end:
            for job_id in list(self.jobs):
                self._look_at(job_id, 5)
        for _ in self.jobs:
            self._ledger.count_job("not ended", frozenset())

    def good_render(self, chance: random.Random) -> bool:
        """One good render, not counted; whether it was right."""
        html, picture = grid(chance)
        answer = self._ask("POST", "/render", {"html": html, "options": _size()}, "image/png")
        return answer.status == 200 and shows(answer.body, picture)

    def _repeat(self, loop: Callable[[random.Random], None], chance: random.Random) -> None:
        while not self._stop.is_set():
            loop(chance)

    def _good(self, chance: random.Random) -> None:
        html, picture = grid(chance, self._site.url + "/red.svg")
        format_ = chance.choice(["png", "png", "webp"])
        body = {"html": html, "options": _size(format=format_)}
        as_file = chance.random() < 0.5
        accept = f"image/{format_}" if as_file else "application/json"
        answer = self._ask("POST", "/render", body, accept)
        right = False
        if answer.status == 200:
            data = answer.body
            if not as_file:
                data = base64.b64decode(answer.json["data"]["imageBase64"])
            right = shows(data, picture)
        self._ledger.count("good", answer, right, self._good_codes)

    def _bad(self, chance: random.Random) -> None:
        bad = chance.choice(CORPUS)
        if bad.path:
            body = {"url": self._site.url + bad.path, "options": bad.options}
            answer = self._ask("POST", "/render-url", body)
        else:
            answer = self._ask("POST", "/render", {"html": bad.html, "options": bad.options})
        right = answer.status == 200 and "ok" in bad.codes
        self._ledger.count("bad", answer, right, bad.codes | self._good_codes)

    def _submit(self, chance: random.Random) -> None:
        html, picture = grid(chance)
        answer = self._ask("POST", "/render-async", {"html": html, "options": _size()})
        accepted = answer.status == 202
        self._ledger.count("submissions", answer, accepted, _QUEUE)
        if accepted:
            self.jobs[answer.json["jobId"]] = picture
        for job_id in list(self.jobs)[:3]:
            self._look_at(job_id, 1)
        self._stop.wait(0.3)

    def _look_at(self, job_id: str, wait_s: int) -> None:
        answer = self._ask("GET", f"/render-async/{job_id}?wait={wait_s}")
        self._ledger.count("polls", answer, answer.status == 200, _QUEUE)
        state = answer.json.get("status") if answer.status == 200 else None
        if state == "completed":
            answer = self._ask("GET", f"/download/{job_id}")
            if answer.status == 200:
                right = shows(answer.body, self.jobs.pop(job_id))
                self._ledger.count_job("right" if right else "wrong file", frozenset())
            else:
                self._ledger.count("downloads", answer, False, _QUEUE)
        elif state == "failed":
            del self.jobs[job_id]
            self._ledger.count_job(answer.json["code"], self._good_codes)

    def _health(self, chance: random.Random) -> None:
        answer = self._ask("GET", "/health")
        self._ledger.count("health", answer, answer.status == 200, _PASSING)
        self._stop.wait(0.5)

    def _hold(self, chance: random.Random) -> None:
        self._ledger.count_slow(hold(self._port, chance, self._stop))

    def _ask(self, method: str, path: str, body: object = None, accept: str = "*/*") -> Answer:
        return ask(self._port, method, path, body, accept, timeout_s=self._patience_s)


def _size(**options: object) -> dict[str, object]:
    return {"width": SIDE, "height": SIDE, **options}
