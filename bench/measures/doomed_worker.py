"""A `farm worker` that is SIGKILLed at one exact point.

`python -m bench.measures.doomed_worker POINT`

Random kills hardly ever hit the moments that matter; this one always does. All else is the real
worker.
"""

import os
import signal
import sys
from typing import Any

import rq.worker.base

from farm.cli import main
from farm.jobs.rq_worker import RqWorker
from farm.storage import ObjectStorage

#: Where each point is: what is replaced by death, and what has happened just before it.
POINTS: dict[str, tuple[Any, str]] = {
    "dequeue": (RqWorker, "prepare_execution"),  # the job was moved out of the queue
    "between": (RqWorker, "prepare_job_execution"),  # and was registered as running
    "job": (ObjectStorage, "put"),  # and was rendered
    "end": (RqWorker, "handle_job_success"),  # and its file and record were written
    "maintenance": (rq.worker.base, "clean_registries"),  # the maintenance lock was taken
}


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    owner, name = POINTS[sys.argv.pop()]
    setattr(owner, name, die)
    main(["worker", "--concurrency", "1"])
