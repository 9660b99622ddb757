"""Makes the answer of `/metrics`: the figures of all processes of an instance, and of its queue.

Threads that handle requests call `text`; `farm worker` calls `serve`. Processes that have ended
leave their files in the shared folder. Their gauges are removed, and their counters are added up in
files for a process 0. So no counter ever decreases, and the folder does not grow with each process
that ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from farm.errors import QueueUnavailable
from farm.job import JobQueue
from farm.metrics import folder
from farm.metrics.figures import REGISTRY

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def text(queue: JobQueue) -> bytes:
    """All figures, in Prometheus's text format."""
    return generate_latest(_Engines()) + generate_latest(_Queue(queue))


def serve(host: str, port: int) -> None:
    """Serve the engine's figures over HTTP, in a thread of its own.

    `farm worker` calls it, since it has no other HTTP server. Raises `OSError` if it cannot listen
    at the address.
    """
    start_http_server(port, host, registry=_Engines())


class _Queue(CollectorRegistry):
    def __init__(self, queue: JobQueue) -> None:
        super().__init__()
        self._jobs = queue

    def collect(self) -> Iterator[Metric]:
        try:
            figures = self._jobs.figures()
        except QueueUnavailable:
            figures = None
        yield GaugeMetricFamily("farm_queue_up", "Whether Redis answers.", int(figures is not None))
        jobs = GaugeMetricFamily("farm_queue_jobs", "Jobs that wait.", labels=["queue"])
        oldest = GaugeMetricFamily(
            "farm_queue_oldest_seconds", "Age of the oldest job that waits.", labels=["queue"]
        )
        if figures is not None:
            jobs.add_metric([figures.name], figures.waiting)
            oldest.add_metric([figures.name], figures.oldest_s)
        yield jobs
        yield oldest
        if figures is not None:
            text = "Deliveries of webhooks that are not over."
            yield GaugeMetricFamily("farm_webhooks_waiting", text, figures.webhooks)
        if figures is not None and figures.storage_bytes is not None:
            text = "Bytes of the jobs' inputs and files, as of the last sweep."
            yield GaugeMetricFamily("farm_storage_bytes", text, figures.storage_bytes)


class _Engines(CollectorRegistry):
    def collect(self) -> Iterator[Metric]:
        path = os.environ.get(folder.VARIABLE)
        if path is None:
            yield from REGISTRY.collect()
            return
        with _locked(Path(path)):
            _fold_dead(Path(path))
            # The file of a process that has just started is empty for a moment.
            files = [str(file) for file in Path(path).glob("*.db") if file.stat().st_size]
            yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time work in the folder, so that none removes a file another reads."""
    with (path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fold_dead(path: Path) -> None:
    """Remove the files of processes that have ended, and add their counters to process 0's."""
    for file in path.glob("*.db"):
        kind, _, pid = file.stem.rpartition("_")
        if not pid.isdecimal() or pid == "0" or psutil.pid_exists(int(pid)):
            continue
        if file.stat().st_size and not kind.startswith("gauge"):
            total = MmapedDict(str(path / f"{kind}_0.db"))  # type: ignore[no-untyped-call]
            counted = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
            for key, value, *_ in counted:
                before, _ = total.read_value(key)  # type: ignore[no-untyped-call]
                total.write_value(key, before + value, 0.0)  # type: ignore[no-untyped-call]
            total.close()  # type: ignore[no-untyped-call]
        file.unlink()
