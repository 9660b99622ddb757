"""nginx's rules before several machines."""

import random
from functools import partial

from farm.plan.events import Clock
from farm.plan.fleet import TRIES, Balanced
from farm.plan.kinds import Kind
from farm.plan.machine import Machine, MachineType, Render

PAGE = Kind("page", cpu_ms=0, waiting_ms=1000, closing_ms=0, memory_mib=0, file_bytes=0)
ONE_PAGE = MachineType(pages=1, max_waiting=0)


def fleet(count: int, type_: MachineType = ONE_PAGE) -> Balanced:
    return Balanced(Clock(), type_, count, random.Random(1))


def render() -> Render:
    return Render(PAGE, 1.0, lambda render, ok: None)


def requests(fleet: Balanced) -> list[int]:
    return [machine.requests for machine in fleet.machines]


def test_each_request_goes_to_the_machine_with_the_fewest() -> None:
    balanced = fleet(3, MachineType())
    for _ in range(7):
        assert balanced.send(render()) is None
    assert sorted(requests(balanced)) == [2, 2, 3]


def test_a_refused_request_is_tried_on_others() -> None:
    balanced = fleet(3)
    for _ in range(3):
        assert balanced.send(render()) is None
    assert balanced.send(render()) == 1
    assert requests(balanced) == [1, 1, 1]


def test_it_is_tried_so_often_and_no_more() -> None:
    balanced = fleet(5)
    offered = []

    def refuse(machine: Machine, _: Render) -> int:
        offered.append(machine)
        return 7

    for machine in balanced.machines:
        (worker,) = machine.workers
        worker.offer = partial(refuse, machine)  # type: ignore[method-assign]
    assert balanced.send(render()) == 7
    assert len(offered) == len({id(each) for each in offered}) == TRIES


def test_instances_may_share_the_cores_of_one_machine() -> None:
    clock = Clock()
    balanced = Balanced(clock, MachineType(), 3, random.Random(1), share_cores=True)
    assert len({id(machine.cores) for machine in balanced.machines}) == 1


def test_a_machine_of_eight_cores_has_four_workers() -> None:
    balanced = fleet(1, MachineType(cores=8))
    (machine,) = balanced.machines
    assert len(machine.workers) == 4
    assert balanced.send(render()) is None
