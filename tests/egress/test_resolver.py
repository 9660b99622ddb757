"""Names, looked up by a process that can be killed."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest

from farm.egress.resolver import LookUp, Resolver, Unknown, look_up


@asynccontextmanager
async def resolving(look_up: LookUp = look_up, max_cancelled: int = 512) -> AsyncIterator[Resolver]:
    resolver = Resolver(look_up, max_cancelled)
    try:
        yield resolver
    finally:
        resolver.close()


def hangs(name: bytes) -> list[str]:
    """As a name server that does not answer."""
    while name.startswith(b"hang"):
        time.sleep(60)
    return ["192.0.2.1"]


async def abandon(resolver: Resolver, names: int) -> None:
    """Names that are asked for, and that nobody waits for any more."""
    asking = [asyncio.create_task(resolver.resolve(f"hang{n}.example")) for n in range(names)]
    await asyncio.sleep(0)
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)


async def test_names_are_resolved_by_the_machines_configuration() -> None:
    async with resolving() as resolver:
        assert ip_address("127.0.0.1") in await resolver.resolve("localhost")


async def test_an_address_is_returned_without_a_look_up() -> None:
    async with resolving() as resolver:
        assert await resolver.resolve("2130706433") == [ip_address("127.0.0.1")]
        assert await resolver.resolve("::ffff:127.0.0.1") == [ip_address("127.0.0.1")]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "bücher.example", "a\nb", "", "x" * 300])
async def test_a_name_that_has_no_address_is_unknown(host: str) -> None:
    async with resolving() as resolver:
        with pytest.raises(Unknown):
            await resolver.resolve(host)


async def test_concurrent_look_ups_get_their_own_answers() -> None:
    def number(name: bytes) -> list[str]:
        return [f"10.0.0.{name.decode().partition('.')[0]}"]

    async with resolving(number) as resolver:
        asked = [resolver.resolve(f"{n}.example") for n in range(200)]
        assert await asyncio.gather(*asked) == [[ip_address(f"10.0.0.{n}")] for n in range(200)]


async def test_names_that_hang_hold_up_no_other() -> None:
    async with resolving(hangs) as resolver:
        hung = [asyncio.create_task(resolver.resolve(f"hang{n}.example")) for n in range(300)]
        assert await resolver.resolve("good.example") == [ip_address("192.0.2.1")]
        for task in hung:
            task.cancel()


async def test_too_many_cancelled_look_ups_replace_the_process() -> None:
    me = psutil.Process()
    before = set(me.children())
    async with resolving(hangs, max_cancelled=20) as resolver:
        for _ in range(10):
            await abandon(resolver, 20)
            assert await resolver.resolve("good.example") == [ip_address("192.0.2.1")]
        (child,) = {c for c in me.children() if c.status() != psutil.STATUS_ZOMBIE} - before
        assert child.num_threads() <= 20 + 20 + 2


async def test_pending_look_ups_are_sent_to_the_new_process(tmp_path: Path) -> None:
    """In the process that comes after the one that was killed."""
    asked = tmp_path / "asked"

    def late(name: bytes) -> list[str]:
        if name == b"late.example":
            with asked.open("a") as file:
                file.write("x")
            while asked.read_text() != "xx":
                time.sleep(0.01)
        return hangs(name)

    async with resolving(late, max_cancelled=5) as resolver:
        waiting = asyncio.create_task(resolver.resolve("late.example"))
        while not asked.exists():
            await asyncio.sleep(0.01)
        await abandon(resolver, 6)
        assert await waiting == [ip_address("192.0.2.1")]


async def test_a_process_that_dies_is_replaced() -> None:
    me = psutil.Process()
    before = set(me.children())
    async with resolving(hangs) as resolver:
        assert await resolver.resolve("good.example")
        waiting = asyncio.create_task(resolver.resolve("hang.example"))
        await asyncio.sleep(0)
        for child in set(me.children()) - before:
            child.kill()
        with pytest.raises(Unknown):
            await waiting
        assert await resolver.resolve("good.example")


async def test_the_process_has_nothing_open_of_its_parents() -> None:
    read, write = os.pipe()
    me = psutil.Process()
    before = set(me.children())
    async with resolving() as resolver:
        await resolver.resolve("localhost")
        (child,) = set(me.children()) - before
        os.close(write)
        assert os.read(read, 1) == b""
        assert child.num_fds() <= 5
    with suppress(OSError):
        os.close(read)
