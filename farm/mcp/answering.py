"""Answers lines of standard input that are not messages of JSON-RPC.

The SDK reads such a line as an exception, and its server drops that. Without an answer, a client
waits until its own time-out.
"""

import json
from collections.abc import AsyncIterable, Awaitable, Callable

from anyio.streams.memory import MemoryObjectSendStream
from mcp import types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

Item = SessionMessage | Exception

_NOT_JSON = "The line is not JSON."
_HALF_OF_A_PAIR = "The message has half of a surrogate pair in a string."
_NO_REQUEST = "The line is no message of JSON-RPC 2.0. A batch of messages is none either."


async def answer_others(
    items: AsyncIterable[Item],
    answer: Callable[[SessionMessage], Awaitable[None]],
    messages: MemoryObjectSendStream[Item],
) -> None:
    """Forward every message of `items` to `messages`, and answer every other line with an error.

    A blank line is skipped.
    """
    async with messages:
        async for item in items:
            if not isinstance(item, Exception):
                await messages.send(item)
            elif not _is_blank(item):
                await answer(SessionMessage(_error_for(item)))


def _is_blank(exc: Exception) -> bool:
    return isinstance(exc, ValidationError) and str(exc.errors()[0]["input"]).isspace()


def _error_for(exc: Exception) -> types.JSONRPCError:
    """The error that JSON-RPC 2.0 defines. The id is null if it cannot be read."""
    if not isinstance(exc, ValidationError) or exc.errors()[0]["type"] != "json_invalid":
        return _error(None, types.INVALID_REQUEST, _NO_REQUEST)
    try:
        # Python's parser accepts half of a surrogate pair, which the SDK's parser refuses.
        message = json.loads(exc.errors()[0]["input"])
    except (ValueError, RecursionError):
        return _error(None, types.PARSE_ERROR, _NOT_JSON)
    request_id = message.get("id") if isinstance(message, dict) else None
    known = request_id if type(request_id) in (int, str) else None
    return _error(known, types.PARSE_ERROR, _HALF_OF_A_PAIR)


def _error(request_id: int | str | None, code: int, message: str) -> types.JSONRPCError:
    data = types.ErrorData(code=code, message=message)
    return types.JSONRPCError(jsonrpc="2.0", id=request_id, error=data)
