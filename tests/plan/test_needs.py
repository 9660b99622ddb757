"""Memory and traffic of a plan."""

import pytest

from farm.plan.demand import CURVES, Demand
from farm.plan.kinds import MEASURED, Mix
from farm.plan.machine import MachineType
from farm.plan.needs import JOB_BYTES, needs_of

DAY = Demand(864_000, CURVES["flat"])  # ten a second
MIX = Mix({MEASURED["simple"]: 1})


def test_every_answer_leaves_the_farm() -> None:
    needs = needs_of(DAY, MIX, MachineType(), most_pages=4)
    assert needs.answer_bytes_a_day == 864_000 * MEASURED["simple"].file_bytes
    assert needs.peak_bits_a_second == pytest.approx(80 * MEASURED["simple"].file_bytes)


def test_two_gib_for_each_worker_are_the_least_and_pages_take_more() -> None:
    few, many = (needs_of(DAY, MIX, MachineType(8), most_pages=n) for n in (1, 100))
    assert few.machine_gib == 4 * 2
    assert many.machine_gib > few.machine_gib


def test_redis_keeps_jobs_and_files_for_their_time() -> None:
    needs = needs_of(
        DAY,
        MIX,
        MachineType(),
        most_pages=4,
        hit_share=0.5,
        cache_ttl_s=100,
        job_share=0.1,
        job_ttl_s=200,
    )
    assert needs.queue_bytes == pytest.approx(200 * JOB_BYTES)
    assert needs.job_file_bytes == pytest.approx(200 * MEASURED["simple"].file_bytes)
    assert needs.cache_bytes == pytest.approx(500 * 1.1 * MEASURED["simple"].file_bytes)
