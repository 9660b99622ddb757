"""One session of the real client with `farm mcp`, for all tests of it."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.from_thread
import psutil
import pytest
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client

from tests.support.farm_process import environment, gone, wait_until

#: The programs that pages may reach.
ALLOWED = "127.0.0.1"


@dataclass
class Agent:
    """A client of the server; `folder` is where its tools may save files."""

    session: ClientSession
    folder: Path
    portal: anyio.from_thread.BlockingPortal

    def tools(self) -> list[types.Tool]:
        return list(self.portal.call(self.session.list_tools).tools)

    def call(self, name: str, **arguments: Any) -> types.CallToolResult:
        result = self.portal.call(self.session.call_tool, name, arguments)
        assert isinstance(result, types.CallToolResult)
        return result


@pytest.fixture(scope="package")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """Its server has an engine of its own; when the session ends, no process of it is left."""
    folder = tmp_path_factory.mktemp("agent")
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "farm.cli", "mcp", "--folder", str(folder)],
        env=environment(egress_allow=ALLOWED),
    )
    before = set(psutil.Process().children(recursive=True))
    with anyio.from_thread.start_blocking_portal() as portal:
        opened: Callable[..., Any] = portal.wrap_async_context_manager
        with opened(stdio_client(server)) as (reading, writing):
            with opened(ClientSession(reading, writing)) as session:
                portal.call(session.initialize)
                yield Agent(session, folder, portal)
            started = set(psutil.Process().children(recursive=True)) - before
    assert started
    wait_until(lambda: gone(list(started)))
