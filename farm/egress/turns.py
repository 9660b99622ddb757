"""Shares the proxy process's only thread between the renders, round robin."""

import asyncio
from collections import deque


class Turns:
    """Grants each render one turn a round, however many connections it has."""

    def __init__(self) -> None:
        #: Waiting connections, by render. The first render has the next turn.
        self._queues: dict[object, deque[asyncio.Future[None]]] = {}

    async def take(self, render: object) -> None:
        """Wait for the render's turn. The turn lasts until the caller waits the next time."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        if not self._queues:
            loop.call_soon(self._grant_next)
        self._queues.setdefault(render, deque()).append(turn)
        await turn

    def _grant_next(self) -> None:
        given = False
        while self._queues and not given:
            render = next(iter(self._queues))
            line = self._queues.pop(render)
            turn = line.popleft()
            if line:
                self._queues[render] = line
            if not turn.done():  # else the connection is gone
                turn.set_result(None)
                given = True
        if self._queues:
            # The event loop handles new input before the next turn.
            asyncio.get_running_loop().call_soon(self._grant_next)
