"""What `plan` measures: what a render of each kind takes, and what becomes of a load."""

import asyncio
import json
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from bench.contenders.instances import running_instances, running_nginx
from bench.measures.deployment import Redis
from bench.measures.generator import ANSWER_TIMEOUT_S, Answer, Exchange
from bench.workloads.pages import COMPLEX, LONG_URL, SIMPLE, SLOW_URL, Workload
from farm.plan.kinds import MEASURED, Kind
from farm.plan.simulation import Arrival, Load, Outcome, arrivals
from tests.support.site import SITES

#: The bench's work by the names that `farm plan` has for it.
WORKS = {"simple": SIMPLE, "complex": COMPLEX, "url": SLOW_URL, "long": LONG_URL}
#: Clients in a loop that keep two cores at work: of pages that wait for the network, more.
BUSY_CLIENTS, BUSY_URL_CLIENTS = 8, 16
#: After an answer, until its page is closed and all of it has been counted.
_REST_S = 0.4
#: So many times one client and many take turns, since a machine's speed changes within minutes.
_ROUNDS = 3


@contextmanager
def deployed(folder: Path, instances: int, **settings: object) -> Iterator[str]:
    """Instances without workers for jobs, behind nginx; gives the URL."""
    with ExitStack() as stack:
        folder.mkdir()
        folder.chmod(0o755)  # Chromium may run as another user
        redis = Redis(folder)
        redis.start()
        stack.callback(redis.kill)
        given = {"storage_url": (folder / "files").as_uri(), "egress_allow": SITES, **settings}
        farms = running_instances(instances, folder, redis_url=redis.url, **given)
        yield stack.enter_context(running_nginx(stack.enter_context(farms)))


def cpu_s(root: psutil.Process) -> float:
    """Processor time of a process and all below it, of those that have ended too."""
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        with suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])
    return total


class Sender:
    """Sends renders to one URL, a connection for each."""

    def __init__(self, url: str, site_url: str) -> None:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        assert host is not None
        assert port is not None
        self._host, self._port = host, port
        self._requests = {name: self._request(work, site_url) for name, work in WORKS.items()}

    def _request(self, work: Workload, site_url: str) -> bytes:
        body = json.dumps(work.body(site_url)).encode()
        head = (
            f"POST {work.route} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            "Content-Type: application/json\r\nAccept: image/png\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def send(self, kind: str) -> Answer:
        """Raises `RuntimeError` if it is a picture that is not right."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            transport, exchange = await loop.create_connection(
                lambda: Exchange(self._requests[kind]), self._host, self._port
            )
            try:
                answer = Answer.parse(await exchange.answered)
            finally:
                transport.abort()
        if answer.status == 200 and (problem := WORKS[kind].problem(answer.body)):
            raise RuntimeError(f"{kind}: {problem}")
        return answer


@dataclass(frozen=True)
class Calibrated:
    """A kind as measured: `farm` has the farm's own processor time, `all` everybody's on this
    machine: nginx, the site and the program that sends the load too.
    """

    farm: Kind
    all: Kind


async def calibrate(
    sender: Sender, kind: str, farms: list[psutil.Process], alone: int, seconds: float
) -> Calibrated:
    """Render one at a time with rests, then by one client and by many, in turn.

    The first gives the latency, and which part of the processor time comes before the answer; the
    others, how much processor time there is.
    """
    latencies_s, before_s, after_s, sizes = [], [], [], []
    await sender.send(kind)
    for _ in range(alone):
        await asyncio.sleep(_REST_S)
        used = _used(farms)
        began = time.monotonic()
        answer = await sender.send(kind)
        latencies_s.append(time.monotonic() - began)
        answered = _used(farms)
        await asyncio.sleep(_REST_S)
        before_s.append(answered - used)
        after_s.append(_used(farms) - answered)
        sizes.append(len(answer.body))
    before_share = sum(before_s) / (sum(before_s) + sum(after_s))
    latency_ms = statistics.median(latencies_s) * 1000
    lone, busy = Loop(sender, kind, 1), Loop(sender, kind)
    for _ in range(_ROUNDS):
        await lone.run(farms, seconds / _ROUNDS)
        await busy.run(farms, seconds / _ROUNDS)

    def measured(work_ms: float) -> Kind:
        cpu_ms = work_ms * before_share
        return replace(
            MEASURED[kind],
            cpu_ms=cpu_ms,
            closing_ms=work_ms - cpu_ms,
            waiting_ms=max(0.0, latency_ms - lone.farm_ms * before_share),
            file_bytes=round(statistics.mean(sizes)),
            spread=None,
        )

    return Calibrated(measured(busy.farm_ms), measured(busy.all_ms))


class Loop:
    """Renders of one kind by clients in a loop: the processor time that one takes."""

    def __init__(self, sender: Sender, kind: str, clients: int | None = None) -> None:
        """`clients`: by default, as many as keep two cores at work."""
        busy = BUSY_URL_CLIENTS if WORKS[kind].path else BUSY_CLIENTS
        self._sender, self._kind, self._clients = sender, kind, clients or busy
        self._farm_s = self._all_s = 0.0
        self._count = 0

    @property
    def farm_ms(self) -> float:
        return self._farm_s * 1000 / self._count

    @property
    def all_ms(self) -> float:
        """With the time of all that runs beside the farm: nginx, the site, and this program."""
        return self._all_s * 1000 / self._count

    async def run(self, farms: list[psutil.Process], seconds: float) -> None:
        """Go on for so long. What was measured before counts too."""
        myself, end = psutil.Process(), time.monotonic() + seconds
        farm_s, all_s = _used(farms), cpu_s(myself)

        async def client() -> None:
            while time.monotonic() < end:
                answer = await self._sender.send(self._kind)
                self._count += answer.status == 200

        await asyncio.gather(*(client() for _ in range(self._clients)))
        await asyncio.sleep(_REST_S)
        self._farm_s += _used(farms) - farm_s
        self._all_s += cpu_s(myself) - all_s


def _used(processes: list[psutil.Process]) -> float:
    return sum(cpu_s(process) for process in processes)


async def play(sender: Sender, load: Load, seed: int) -> Outcome:
    """Send a load to a farm: the very requests that a simulation with this seed has."""
    outcome = Outcome(load.seconds)
    random_ = random.Random(seed)
    started = time.monotonic() + 0.1
    first, end = started + load.warm_up_s, started + load.warm_up_s + load.seconds

    async def one(arrival: Arrival) -> None:
        assert arrival.kind is not None
        came = started + arrival.at
        for tries_left in reversed(range(1 + load.retries)):
            answer = await sender.send(arrival.kind.name)
            is_busy = answer.status == 503 and answer.code == "busy"
            if not is_busy or not tries_left:
                break
            await asyncio.sleep(int(answer.headers[b"retry-after"]) + random_.random())
        now = time.monotonic()
        outcome.in_time += answer.status == 200 and first <= now <= end
        if came < first:
            return
        outcome.offered += 1
        outcome.served += answer.status == 200
        outcome.refused += is_busy
        outcome.failed += answer.status != 200 and not is_busy
        if answer.status == 200:
            outcome.latencies_s.append(now - came)

    async with asyncio.TaskGroup() as tasks:
        for arrival in list(arrivals(load, seed)):
            await asyncio.sleep(max(0.0, started + arrival.at - time.monotonic()))
            tasks.create_task(one(arrival))
    return outcome
