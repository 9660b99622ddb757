"""Closes connections after their last bytes are sent, within a time limit.

`proxy` uses it, in the proxy process's only thread.
"""

import asyncio

#: The time in which a peer must read the rest of what was written to it. Some never do.
LINGER_S = 5.0


class Lingering:
    """The closing connections of one render. asyncio alone would keep them without a time limit."""

    def __init__(self) -> None:
        self._writers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._ended = False

    def __len__(self) -> int:
        return len(self._writers)

    def close(self, writer: asyncio.StreamWriter) -> None:
        """Close it. What was written is still sent, unless the render has ended."""
        writer.close()
        if self._ended:
            _abort(writer)
        elif writer.transport.get_write_buffer_size():
            task = asyncio.create_task(_wait(writer))
            self._writers[task] = writer
            task.add_done_callback(self._writers.pop)

    def end(self) -> None:
        """The render has ended: send nothing more on any connection."""
        self._ended = True
        for writer in self._writers.values():
            _abort(writer)


async def _wait(writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(LINGER_S):
            await writer.wait_closed()
    except TimeoutError:
        _abort(writer)
    except OSError:
        pass  # the peer broke the connection off


def _abort(writer: asyncio.StreamWriter) -> None:
    # A transport with an empty buffer is closed already, and cannot be aborted any more.
    if writer.transport.get_write_buffer_size():
        writer.transport.abort()
