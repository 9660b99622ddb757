"""The MCP server: lists and calls tools over standard input and output.

`serve` runs an event loop in the main thread, and calls each tool in a thread of its own. Standard
output carries the protocol only. All other output goes to standard error.
"""

import logging
import os
import signal
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from mcp import MCPError, types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

import farm
from farm.errors import (
    Busy,
    FarmError,
    InternalError,
    InvalidRequest,
    Problem,
    RateLimited,
    WithProblems,
)
from farm.formats import canonical
from farm.mcp.answering import Item, answer_others
from farm.mcp.content import Blocks, content, saved
from farm.mcp.rendering import Backend
from farm.mcp.saving import Folder, format_of, refused
from farm.mcp.tools import OUTPUT, SOURCES, tools

log = logging.getLogger(__name__)

#: The number of threads for calls. Further calls wait for a thread.
_CALLS_AT_ONCE = 40

_INSTRUCTIONS = (
    "Renders HTML, Markdown and URLs in Chromium. Use `report` to find out why a page looks wrong. "
    "Save large files with `output`."
)


def serve(backend: Backend, folder: Folder) -> None:
    """Serve until standard input ends or SIGTERM arrives. Then close the backend and exit."""
    anyio.run(_serve, backend, folder)
    # Python would wait for threads that still wait for a farm.
    os._exit(0)


async def _serve(backend: Backend, folder: Folder) -> None:
    async def list_tools(
        _context: ServerRequestContext[Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools())

    async def call_tool(
        _context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        cancelled: Future[None] = Future()
        asked = (params.name, params.arguments or {}, cancelled)
        try:
            return await anyio.to_thread.run_sync(
                call, backend, folder, *asked, abandon_on_cancel=True, limiter=places
            )
        except anyio.get_cancelled_exc_class():
            cancelled.set_result(None)
            raise

    # Calls have a limiter of their own, since standard input and output use the default one.
    places = anyio.CapacityLimiter(_CALLS_AT_ONCE)
    server: Server[Any] = Server(
        "render-farm",
        version=farm.__version__,
        title="Render Farm",
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    async with stdio_server() as (reading, writing), anyio.create_task_group() as tasks:
        # `stdio_server` has made file descriptor 1 standard error. Python's `sys.stdout` follows.
        sys.stdout = sys.stderr
        tasks.start_soon(_end_at_signal, backend)
        forwarding, messages = anyio.create_memory_object_stream[Item]()
        tasks.start_soon(answer_others, reading, writing.send, forwarding)
        await server.run(messages, writing, server.create_initialization_options())
        await anyio.to_thread.run_sync(backend.close)
        tasks.cancel_scope.cancel()


async def _end_at_signal(backend: Backend) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            await anyio.to_thread.run_sync(backend.close)
            # A thread that reads standard input would keep Python from exiting.
            os._exit(0)


def call(
    backend: Backend, folder: Folder, name: str, arguments: dict[str, Any], cancelled: Future[None]
) -> types.CallToolResult:
    """Call a tool. An error of the farm becomes a result, so that the agent can read it and retry.

    `cancelled`: is done when the agent has cancelled the call. Raises `MCPError` if there is no
    such tool.
    """
    if name not in SOURCES:
        raise MCPError(types.INVALID_PARAMS, f"There is no tool {name!r}.")
    try:
        return types.CallToolResult(content=_call(backend, folder, name, arguments, cancelled))
    except FarmError as exc:
        return _failed(exc)
    except Exception as exc:
        log.error("The tool %s failed.", name, exc_info=exc)
        return _failed(InternalError("The MCP server made a mistake; its standard error has more."))


def _call(
    backend: Backend, folder: Folder, name: str, arguments: dict[str, Any], cancelled: Future[None]
) -> Blocks:
    fields = dict(arguments)
    _check(fields, SOURCES[name])
    path = _place(folder, fields)
    rendered = backend.render(fields, cancelled)
    if path is None:
        return content(rendered)
    folder.save(path, rendered.data)
    return saved(rendered, path)


def _check(fields: dict[str, Any], source: str) -> None:
    """Raises `InvalidRequest` for an unknown argument, and if the page is missing."""
    (tool,) = (tool for tool in tools() if SOURCES[tool.name] == source)
    known = tool.input_schema["properties"]
    problems = [
        Problem(name, "is not an argument of this tool") for name in fields if name not in known
    ]
    if source not in fields:
        problems.append(Problem(source, "is missing"))
    if problems:
        raise InvalidRequest(
            f"Not a call of this tool: {problems[0].field} {problems[0].problem}.", problems
        )


def _place(folder: Folder, fields: dict[str, Any]) -> Path | None:
    """Remove `output` from the fields. Returns its path; None if there is no `output`.

    The path's suffix sets the format, unless an option does. Raises `InvalidRequest`.
    """
    name = fields.pop(OUTPUT, None)
    if name is None:
        return None
    if not isinstance(name, str):
        raise refused("must be a string")
    path = folder.place(name)
    named = format_of(path)
    options = fields.get("options", {})
    # The request's own validation refuses options that are not an object.
    if isinstance(options, dict):
        asked = options.get("format", named)
        if isinstance(asked, str) and canonical(asked) not in (named, None):
            raise refused(f"ends in {path.suffix}, and options.format is {asked}")
        fields["options"] = {**options, "format": asked}
    return path


def _failed(error: FarmError) -> types.CallToolResult:
    lines = [f"{error} ({error.code})"]
    if isinstance(error, Busy | RateLimited):
        lines.append(f"Retry-After: {error.retry_after_s} s")
    if isinstance(error, WithProblems) and len(error.problems) > 1:
        lines += [f"  {problem.field}: {problem.problem}" for problem in error.problems]
    return types.CallToolResult(content=[types.TextContent(text="\n".join(lines))], is_error=True)
