"""Connections that are closed before all that was written to them is sent."""

import asyncio

#: How long a peer may take to read the last of it; some never do.
LINGER_S = 5.0


class Lingering:
    """One render's. asyncio by itself would keep them until their peers have read everything."""

    def __init__(self) -> None:
        self._writers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._ended = False

    def __len__(self) -> int:
        return len(self._writers)

    def close(self, writer: asyncio.StreamWriter) -> None:
        """Close it; what was written is still sent, unless the render has ended."""
        writer.close()
        if self._ended:
            _abort(writer)
        elif writer.transport.get_write_buffer_size():
            task = asyncio.create_task(_wait(writer))
            self._writers[task] = writer
            task.add_done_callback(self._writers.pop)

    def end(self) -> None:
        """The render has ended: nothing more is sent."""
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
        pass  # its peer broke it off


def _abort(writer: asyncio.StreamWriter) -> None:
    # A transport that has sent all is closed by now, and cannot be aborted after that.
    if writer.transport.get_write_buffer_size():
        writer.transport.abort()
