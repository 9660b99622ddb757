"""What the cache is worth and what it costs: `python -m bench.measures.cache`.

The same page is rendered again and again, by eight clients, and then found again and again; two
hundred ask for one page at once; and pages of which each is another one are rendered one after the
other, in turn with the cache and without.
"""

import re
import statistics
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

from bench.measures.answers import percentile
from bench.measures.crowd import ask
from bench.workloads.pages import SIMPLE
from farm.settings import Settings
from tests.support.farm_process import Farm, running_farm
from tests.support.site import SITES

CLIENTS = 8
CROWD = 200
#: Rounds, each of renders and then of hits; the medians count, since other programs come and go.
_ROUNDS = 3
_TTL_S = 3600


@dataclass(frozen=True)
class CacheFigures:
    #: A second, by the same clients.
    renders: float
    hits: float
    hit_p50_ms: float
    hit_p99_ms: float
    #: Of the load generator's core, while it asked for hits.
    asking_busy: float
    #: Answers that were no hits, where all should be.
    wrong: int
    #: How many renders so many identical requests at once were.
    crowd_renders: int
    #: How much longer a request takes that asks for the cache and finds nothing, and one that does
    #: not ask: medians of requests in turn.
    miss_ms: float
    plain_ms: float


def measure(farm: Farm, seconds: float, pairs: int) -> CacheFigures:
    """Over a farm that is up; `pairs` of renders tell what a miss costs."""
    renders, hits = [], []
    kept = {"html": SIMPLE.html, "cache": {"ttl": _TTL_S}}
    farm.post("/render", kept)
    for _ in range(_ROUNDS):
        renders.append(ask(farm, {"html": SIMPLE.html}, CLIENTS, seconds))
        hits.append(ask(farm, kept, CLIENTS, seconds))
    crowd_renders = _crowd(farm)
    miss_ms, plain_ms = _miss(farm, pairs)
    return CacheFigures(
        renders=statistics.median(each.rate for each in renders),
        hits=statistics.median(each.rate for each in hits),
        hit_p50_ms=statistics.median(percentile(each.latencies_ms, 0.5) for each in hits),
        hit_p99_ms=statistics.median(percentile(each.latencies_ms, 0.99) for each in hits),
        asking_busy=max(each.busy for each in hits),
        wrong=sum(sum(each.kinds.values()) - each.kinds.get("200 hit", 0) for each in hits),
        crowd_renders=crowd_renders,
        miss_ms=miss_ms,
        plain_ms=plain_ms,
    )


def _crowd(farm: Farm) -> int:
    body = {"html": f"<p>{uuid.uuid4()}{SIMPLE.html}", "cache": {"ttl": _TTL_S}}
    before = _renders(farm)
    with ThreadPoolExecutor(CROWD) as pool:
        answers = list(pool.map(lambda _: farm.post("/render", body), range(CROWD)))
    wrong = [answer for answer in answers if answer.status_code != 200]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {CROWD} were not rendered: {wrong[0].text}")
    return _renders(farm) - before


def _renders(farm: Farm) -> int:
    text = requests.get(farm.url + "/metrics", timeout=30).text
    counted = re.findall(r'^farm_renders_total{.*outcome="completed".*} (\S+)$', text, re.MULTILINE)
    return int(sum(map(float, counted)))


def _miss(farm: Farm, pairs: int) -> tuple[float, float]:
    times: dict[bool, list[float]] = {True: [], False: []}
    with requests.Session() as session:
        for _ in range(pairs):
            for asks in times:
                body: dict[str, object] = {"html": f"<!--{uuid.uuid4()}-->{SIMPLE.html}"}
                if asks:
                    body["cache"] = {"ttl": _TTL_S}
                began = time.perf_counter()
                answer = session.post(farm.url + "/render", json=body, timeout=60)
                times[asks].append((time.perf_counter() - began) * 1000)
                if answer.headers.get("X-Farm-Cache") != ("miss" if asks else None):
                    raise RuntimeError(f"not a miss: {answer.headers}")
    return statistics.median(times[True]), statistics.median(times[False])


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # Chromium may run as another user
        count = Settings().worker_count
        with running_farm(folder / "log", workers=count, egress_allow=SITES) as farm:
            found = measure(farm, 5, 60)
    print(found)
    print(f"a hit by a render: {found.hits / found.renders:.0f}")


if __name__ == "__main__":
    main()
