"""A run: a farm, its clients, one fault after another, and the ledger of it."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.chaos.census import Census
from tests.chaos.clients import Clients
from tests.chaos.faults import FULL_DISK, Faults
from tests.chaos.ledger import Ledger
from tests.support.disk import small_disk
from tests.support.farm_process import running_farm, wait_until
from tests.support.site import SITES, running_site

#: Small, so that a run has many of them.
DEADLINE_S = 8
#: What a good render is told whose own page is the victim.
_TO_ONES_PAGE = {"kill page": "page_crashes", "stop page": "render_timeout"}
#: A job whose worker was killed runs again within two minutes (docs/jobs.md).
_JOBS_END_S = 180


def run(
    seconds: float,
    faults: Sequence[str],
    seed: int,
    log_path: Path,
    pause_s: float = 4.0,
    isolation: str = "render",
    tell: Callable[[str], None] = lambda _: None,
) -> Ledger:
    """Do each fault in turn, again and again in a new order, `pause_s` apart, for `seconds`.

    Each is done at least once, however short the run.
    """
    chance = random.Random(seed)
    ledger = Ledger(DEADLINE_S)
    with small_disk() as disk, running_site() as site:
        settings = {
            "render_deadline_s": DEADLINE_S,
            "egress_allow": SITES,
            "browser_memory_mb": 700,
            "recycle_after_renders": 200,
            "pages_per_browser": 6,
            "isolation": isolation,
            "storage_url": (disk or log_path.parent).as_uri(),
        }
        possible = [fault for fault in faults if disk or fault != FULL_DISK]
        with running_farm(log_path, workers=2, **settings) as farm:
            codes = frozenset(code for fault, code in _TO_ONES_PAGE.items() if fault in faults)
            clients = Clients(farm.port, site, ledger, seed, codes)
            wait_until(lambda: clients.good_render(chance))
            ledger.start = Census.of(farm)
            harm = Faults(farm, ledger, chance, disk or log_path.parent)
            clients.start(good=4, bad=2)
            end = time.monotonic() + seconds
            pause = threading.Event()
            rounds = 0
            while not rounds or time.monotonic() < end:
                for fault in chance.sample(possible, len(possible)):
                    if rounds and time.monotonic() > end:
                        break
                    pause.wait(pause_s)
                    tell(f"{max(0, end - time.monotonic()):4.0f} s to go: {fault}")
                    harm.do(fault)
                rounds += 1
            harm.undo()
            clients.stop()
            clients.end_jobs(_JOBS_END_S)
            ledger.close(
                {
                    line["request_id"]: line["total_ms"] / 1000
                    for line in farm.log_lines("render")
                    if "total_ms" in line
                }
            )
            ledger.end = _settled(lambda: Census.of(farm), ledger.start)
    return ledger


def _settled(census: Callable[[], Census], start: Census, timeout_s: float = 60) -> Census:
    """As soon as it is as it was at the start, or else at last."""
    end = time.monotonic() + timeout_s
    while (now := census()).worse_than(start) and time.monotonic() < end:
        time.sleep(0.5)
    return now
