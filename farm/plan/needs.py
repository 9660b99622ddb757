"""The needs of a plan besides cores: memory of machines and of Redis, and network traffic."""

import math
from dataclasses import dataclass

from farm.plan.demand import Demand
from farm.plan.kinds import Mix
from farm.plan.machine import MachineType

#: The memory of one gunicorn worker or `farm worker` with its browser, without pages, in MiB.
WORKER_MIB = 700
#: The share of a machine's memory that may be in use, so that the kernel kills no process.
MEMORY_SHARE = 0.75
#: The least memory for each worker that docs/deploy.md advises, in GiB.
MIN_GIB = 2
#: The bytes of Redis that a job takes (docs/jobs.md).
JOB_BYTES = 1400
#: The bytes of the cache's Redis for each byte of a file.
CACHE_OVERHEAD = 1.1


@dataclass(frozen=True)
class Needs:
    """The needs of each machine, of Redis, and of the network. Units are decimal but for GiB."""

    machine_gib: int
    queue_bytes: float
    cache_bytes: float
    job_file_bytes: float
    answer_bytes_a_day: float
    #: The traffic of all answers and downloads in the busiest minutes.
    peak_bits_a_second: float


def needs_of(
    demand: Demand,
    mix: Mix,
    type_: MachineType,
    *,
    most_pages: int,
    hit_share: float = 0.0,
    cache_ttl_s: float = 0.0,
    job_share: float = 0.0,
    job_ttl_s: float = 0.0,
) -> Needs:
    """`most_pages`: the most pages in use in one worker. Stored files are counted at the rate of
    the busiest hour.
    """
    file_bytes = mix.mean("file_bytes")
    worker_mib = WORKER_MIB + most_pages * mix.mean("memory_mib")
    worker_gib = max(MIN_GIB, math.ceil(worker_mib / 1024 / MEMORY_SHARE))
    hourly = max(demand.hourly)
    jobs = min(hourly * job_ttl_s, demand.per_day * max(1, job_ttl_s / 86_400)) * job_share
    kept = 0.0
    if hit_share:
        rendered = 1 - hit_share
        kept = min(hourly * cache_ttl_s, demand.per_day * max(1, cache_ttl_s / 86_400)) * rendered
    return Needs(
        machine_gib=worker_gib * type_.worker_count,
        queue_bytes=jobs * JOB_BYTES,
        cache_bytes=kept * file_bytes * CACHE_OVERHEAD,
        job_file_bytes=jobs * file_bytes,
        answer_bytes_a_day=demand.per_day * file_bytes,
        peak_bits_a_second=max(demand.rates) * file_bytes * 8,
    )
