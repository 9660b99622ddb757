"""A farm's own figures as a mix."""

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from farm.plan.kinds import MEASURED
from farm.plan.scrape import ScrapeError, read, scraped

#: /metrics after 80 renders, 20 jobs and 100 answers from the cache. In a process of its own, since
#: what is counted in this one is also other tests'.
_COUNT = """
from prometheus_client import generate_latest
from farm.metrics import figures
for route, count in (("render", 30), ("render-url", 50), ("job", 20)):
    figures.RENDERS.labels(route, "png", "completed", "").inc(count)
for step, seconds in (("waiting", 0), ("loading", 0.4), ("settling", 0.1), ("capturing", 0.06)):
    for factor in (0.5, 1.5):
        figures.STEP_SECONDS.labels(step).observe(seconds * factor)
figures.CACHE_REQUESTS.labels("hit").inc(90)
figures.CACHE_REQUESTS.labels("joined").inc(10)
print(generate_latest(figures.REGISTRY).decode())
"""


@pytest.fixture(scope="module")
def text() -> str:
    command = [sys.executable, "-c", _COUNT]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_jobs_and_hits_are_shares(text: str) -> None:
    found = scraped(text)
    assert found.renders == 100
    assert found.job_share == 0.2
    assert found.hit_share == 0.5


def test_loading_is_waiting_and_the_other_steps_are_work(text: str) -> None:
    (kind,) = scraped(text).mix.shares
    simple = MEASURED["simple"]
    assert kind.waiting_ms == pytest.approx(400 + simple.waiting_ms)
    assert kind.cpu_ms == pytest.approx(max(simple.cpu_ms, 160 - simple.waiting_ms))
    assert kind.spread is not None
    assert kind.spread.mean == pytest.approx(1)


def test_processor_time_that_is_known_counts(text: str) -> None:
    (kind,) = scraped(text, cpu_ms=300).mix.shares
    assert kind.work_ms == pytest.approx(300)


@pytest.mark.parametrize("text", ["", "<html>", "farm_pages 4\n"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ScrapeError):
        scraped(text)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScrapeError, match=r"none.* cannot be read: No such file"):
        read(str(tmp_path / "none"))


class Locked(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(401)


def test_a_farm_that_wants_a_key_is_told() -> None:
    with HTTPServer(("127.0.0.1", 0), Locked) as server:
        Thread(target=server.handle_request).start()
        with pytest.raises(ScrapeError, match=r"answers 401 .*curl -H 'X-Api-Key: …'"):
            read(f"http://127.0.0.1:{server.server_port}/metrics")


@pytest.mark.parametrize("url", ["http://[", "http://host name/", "http://127.0.0.1:port/"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(ScrapeError, match="cannot be read"):
        read(url)


def test_a_url_where_nobody_listens_is_told() -> None:
    with pytest.raises(ScrapeError, match="cannot be read"):
        read("http://127.0.0.1:1/metrics")
