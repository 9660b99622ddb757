"""What hostile pages do to others: `python -m bench.measures.hostile [NAME …] [--seconds 25]`.

Four clients have a farm of one worker render small pages; meanwhile it is sent one hostile page
(`tests/chaos/hostile.py`). For each of these a row in Markdown is printed: what it was told, what
the others were told and how long they waited at most, for how long `/health` said 503, and which
processes were replaced.
"""

import json
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil

from tests.chaos.asking import Answer, ask
from tests.chaos.bad import Bad
from tests.chaos.hostile import HOSTILE
from tests.support.farm_process import Farm, command_line, running_farm, wait_until

CLIENTS = 4
_DEADLINE_S = 12
#: How long the clients have been at it before the hostile page comes.
_BEFORE_S = 2.0
_GOOD = {"html": "<body style='background:lime'>good", "options": {"width": 200, "height": 100}}


@dataclass
class Watched:
    """What was seen beside one hostile page."""

    good: list[Answer] = field(default_factory=list)
    bad: Answer | None = None
    #: Seconds from one answered health check to the next that said `ok`.
    unhealthy_s: float = 0.0
    #: MiB of the GPU process, of the browser's own, and of a page's, at most.
    memory: Counter[str] = field(default_factory=Counter)
    browsers: set[int] = field(default_factory=set)
    gpus: set[int] = field(default_factory=set)


def watch(farm: Farm, bad: Bad, seconds: float) -> Watched:
    seen = Watched()
    over = threading.Event()
    patience_s = _DEADLINE_S + 30.0

    def be_good() -> None:
        while not over.is_set():
            seen.good.append(ask(farm.port, "POST", "/render", _GOOD, timeout_s=patience_s))

    def be_bad() -> None:
        body = {"html": bad.html, "options": bad.options}
        seen.bad = ask(farm.port, "POST", "/render", body, timeout_s=patience_s)

    def look() -> None:
        well = time.monotonic()
        while not over.wait(0.2):
            if ask(farm.port, "GET", "/health", timeout_s=patience_s).status == 200:
                well = time.monotonic()
            seen.unhealthy_s = max(seen.unhealthy_s, time.monotonic() - well)
            look_at_processes(farm, seen)

    threads = [threading.Thread(target=work) for work in [*[be_good] * CLIENTS, look]]
    for thread in threads:
        thread.start()
    time.sleep(_BEFORE_S)
    hostile = threading.Thread(target=be_bad)
    hostile.start()
    time.sleep(seconds)
    over.set()
    for thread in [*threads, hostile]:
        thread.join()
    return seen


def look_at_processes(farm: Farm, seen: Watched) -> None:
    for browser in farm.chromiums():
        seen.browsers.add(browser.pid)
        with suppress(psutil.Error):
            for process in [browser, *browser.children(recursive=True)]:
                kinds = [arg for arg in command_line(process) if arg.startswith("--type=")]
                kind = kinds[0].partition("=")[2] if kinds else "browser"
                if kind == "gpu-process":
                    seen.gpus.add(process.pid)
                with suppress(psutil.Error):
                    held = process.memory_info().rss >> 20
                    seen.memory[kind] = max(seen.memory[kind], held)


def row(bad: Bad, seen: Watched, retries: int) -> str:
    told = Counter(answer.code for answer in seen.good)
    others = ", ".join(f"{count} {code}" for code, count in told.most_common())
    longest = max((answer.seconds for answer in seen.good), default=0.0)
    replaced = [
        f"{len(pids) - 1} × {name}"
        for name, pids in (("browser", seen.browsers), ("GPU process", seen.gpus))
        if len(pids) > 1
    ]
    memory = ", ".join(f"{kind} {seen.memory[kind]}" for kind in ("browser", "gpu-process"))
    answer = seen.bad
    assert answer is not None
    cells = [
        bad.name,
        f"{answer.code}, {answer.seconds:.1f} s",
        others,
        f"{longest:.1f} s",
        f"{seen.unhealthy_s:.1f} s",
        ", ".join(replaced) or "-",
        str(retries),
        memory,
    ]
    return f"| {' | '.join(cells)} |"


@click.command()
@click.argument("names", nargs=-1)
@click.option("--seconds", default=25.0, help="For how long each is watched.")
def main(names: tuple[str, ...], seconds: float) -> None:
    chosen = [bad for bad in HOSTILE if not names or any(name in bad.name for name in names)]
    print("| page | it was told | others were told | longest wait | health | replaced | retries |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for bad in chosen:
            log = Path(folder) / "farm.log"
            with running_farm(log, workers=1, render_deadline_s=_DEADLINE_S) as farm:
                wait_until(lambda: farm.render("x").status_code == 200)
                seen = watch(farm, bad, seconds)
                status = ask(farm.port, "GET", "/status", timeout_s=10)
                retries = json.loads(status.body)["retries"]
            print(row(bad, seen, retries), flush=True)


if __name__ == "__main__":
    main()
