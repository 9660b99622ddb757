"""The proxy's process, as it speaks to the farm."""

import asyncio
import json
import os
import socket

from farm.egress.process import MAX_MESSAGE_BYTES, _ProxyServer
from farm.egress.proxy import Note, Rules
from farm.policy import Policy


async def test_every_note_arrives_however_slowly_the_farm_listens() -> None:
    farm, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with farm, control:
        farm.setblocking(False)
        control.setblocking(False)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        report = _ProxyServer(control, Rules(Policy(), os.geteuid(), 64, 1000))._listener(
            7, lambda: 0
        )
        hosts = [f"{n}.example" for n in range(200)]
        telling = [asyncio.ensure_future(report(Note(True, host, "why"))) for host in hosts]
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(30):
            heard = [json.loads(await loop.sock_recv(farm, MAX_MESSAGE_BYTES)) for _ in hosts]
            await asyncio.gather(*telling)
    assert [note["host"] for note in heard] == hosts
