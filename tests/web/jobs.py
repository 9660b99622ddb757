"""Jobs without a worker: one that is completed, and the id of one that does not exist."""

import base64

from farm.formats import FORMATS
from farm.job import file_name
from farm.jobs.record import Records
from farm.request import RenderResult, Timings
from farm.storage import ObjectStorage

UNKNOWN_JOB_ID = "0b8e1f5c-7d0a-4a53-9a3c-3d1f3c5a8e21"
FILE = b"\x89PNG and so on"
RESULT = RenderResult(base64.b64encode(FILE).decode(), FORMATS["png"], 40, 30, Timings())


def complete(records: Records, storage: ObjectStorage, job_id: str) -> None:
    """Do what a worker does: start the job, store its file, record its result."""
    records.start(job_id)
    storage.put(file_name(job_id), FILE)
    assert records.complete(job_id, RESULT)
