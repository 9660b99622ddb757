"""Turns: fair between renders, not between connections."""

import asyncio

from farm.egress.turns import Turns


async def test_a_render_of_many_connections_has_one_turn_when_another_has_one() -> None:
    turns = Turns()
    order: list[str] = []

    async def work(render: str, pieces: int) -> None:
        for _ in range(pieces):
            await turns.take(render)
            order.append(render)

    async with asyncio.TaskGroup() as connections:
        for _ in range(50):
            connections.create_task(work("many", 20))
        await asyncio.sleep(0)
        connections.create_task(work("one", 20))
    began, ended = order.index("one"), len(order) - order[::-1].index("one")
    assert order[began:ended].count("many") <= 21
    assert began <= 2
    assert order.count("many") == 1000


async def test_the_turn_of_a_closed_connection_goes_to_the_next() -> None:
    turns = Turns()
    gone = [asyncio.create_task(turns.take("gone")) for _ in range(10)]
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    async with asyncio.timeout(10):
        await turns.take("gone")
        await turns.take("other")


async def test_what_arrives_is_seen_between_two_turns() -> None:
    """Or a flood would hold the loop itself."""
    turns = Turns()
    seen: list[str] = []

    async def flood() -> None:
        for _ in range(10):
            await turns.take("flood")
            seen.append("flood")

    async with asyncio.TaskGroup() as connections:
        connections.create_task(flood())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(seen.append, "arrival")
    assert seen.index("arrival") <= 2
