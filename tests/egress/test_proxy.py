"""The proxy of one render, spoken to as a browser would."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from typing import Any

import pytest

from farm.egress.answers import TOO_MANY_INFORMATIONAL
from farm.egress.dial import Resolve, Stream, dial
from farm.egress.lingering import Lingering
from farm.egress.proxy import TOO_MUCH, Note, Proxy, Rules
from farm.egress.turns import Turns
from farm.policy import NOT_PUBLIC, Names, Policy
from farm.policy.addresses import Address

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Way:
    """A proxy that is up, what it noted, and a site that answers with what it was sent."""

    def __init__(self, proxy: Proxy, port: int, site_port: int, notes: list[Note]) -> None:
        self.proxy = proxy
        self.port = port
        self.site = f"127.0.0.1:{site_port}"
        self.notes = notes

    async def send(self, data: str | bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data.encode() if isinstance(data, str) else data)
        return reader, writer

    async def ask(self, data: str | bytes) -> bytes:
        """All that comes back until the proxy ends the connection."""
        reader, writer = await self.send(data)
        try:
            return await reader.read()
        except ConnectionResetError:
            return b"reset"
        finally:
            writer.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request; its head is the body of the answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-Own: yes\r\n\r\n" + head)
    await writer.drain()
    writer.close()


async def numbers_only(host: str) -> list[Address]:
    return [ip_address(host)]


@asynccontextmanager
async def way(
    handler: Handler = echo,
    allow: str = "127.0.0.0/8",
    uid: int | None = None,
    max_connections: int = 64,
    max_bytes: int = 1_000_000,
    turns: Turns | None = None,
    resolve: Resolve = numbers_only,
) -> AsyncIterator[Way]:
    notes: list[Note] = []

    async def note(new: Note | None) -> None:
        if new is not None:
            notes.append(new)

    policy = Policy(allow=Names.parse(allow.split()))
    rules = Rules(policy, os.geteuid() if uid is None else uid, max_connections, max_bytes)
    proxy = Proxy(rules, note, turns or Turns(), resolve)
    listening = socket.create_server(("127.0.0.1", 0))
    site = await asyncio.start_server(handler, "127.0.0.1", 0)
    await proxy.serve(listening)
    try:
        yield Way(proxy, listening.getsockname()[1], site.sockets[0].getsockname()[1], notes)
    finally:
        proxy.close()
        site.close()


def get(url: str, *headers: str) -> str:
    return "\r\n".join([f"GET {url} HTTP/1.1", "Host: any", *headers, "", ""])


async def test_a_plain_request_reaches_the_host_of_its_url_and_no_other() -> None:
    async with way() as to:
        request = get(
            f"http://{to.site}/a?b=c", "Cookie: x=y", "Proxy-Connection: close", "Connection: close"
        )
        answer = await to.ask(request)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"x-own: yes" in head.lower()
    assert b"GET /a?b=c HTTP/1.1" in body
    assert f"host: {to.site}".encode() in body.lower()
    assert b"cookie: x=y" in body.lower()
    assert b"proxy-connection" not in body.lower()
    assert b"Host: any" not in body


async def test_a_tunnel_carries_bytes_both_ways() -> None:
    async with way() as to:
        reader, writer = await to.send(f"CONNECT {to.site} HTTP/1.1\r\nHost: {to.site}\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        writer.close()


async def test_a_refused_host_gets_no_answer_and_is_noted_first() -> None:
    async with way(allow="127.0.0.2") as to:
        assert await to.ask(get(f"http://{to.site}/")) == b""
        connect = f"CONNECT {to.site} HTTP/1.1\r\nHost: x\r\n\r\n"
        reader, writer = await to.send(connect)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 502")
        writer.close()
        assert to.notes == [Note(True, "127.0.0.1", NOT_PUBLIC)] * 2


async def test_another_user_gets_no_answer() -> None:
    async with way(uid=os.geteuid() + 1) as to:
        assert await to.ask(get(f"http://{to.site}/")) in (b"", b"reset")


async def test_more_connections_than_allowed_are_closed() -> None:
    async with way(max_connections=2) as to:
        held = [await to.send("") for _ in range(2)]
        connect = f"CONNECT {to.site} HTTP/1.1\r\nHost: x\r\n\r\n"
        for reader, writer in held:
            writer.write(connect.encode())
            await reader.readuntil(b"\r\n\r\n")
        assert await to.ask(connect) in (b"", b"reset")
        for _, writer in held:
            writer.close()


async def test_more_bytes_than_allowed_end_the_renders_network() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 10_000)
                await writer.drain()
        except ConnectionError:
            writer.close()

    async with way(flood, max_bytes=100_000) as to:
        assert len(await to.ask(get(f"http://{to.site}/"))) < 200_000
        assert to.notes[0] == Note(True, "127.0.0.1", TOO_MUCH)
        with pytest.raises(ConnectionError):
            await to.send("")


async def test_a_closed_proxy_breaks_every_connection_off() -> None:
    arrived = asyncio.Event()
    gone = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await reader.read()
        gone.set()
        writer.close()

    async with way(hold) as to:
        reader, writer = await to.send(get(f"http://{to.site}/"))
        await arrived.wait()
        to.proxy.close()
        await gone.wait()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()


async def test_one_connection_serves_one_request_after_another() -> None:
    connections = 0

    async def answer_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    async with way(answer_twice) as to:
        reader, writer = await to.send("")
        for _ in range(2):
            writer.write(get(f"http://{to.site}/").encode())
            assert b"content-length: 2" in (await reader.readuntil(b"\r\n\r\n")).lower()
            assert await reader.readexactly(2) == b"ok"
        writer.close()
    assert connections == 1


async def test_a_body_is_sent_on() -> None:
    async def body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        got = await reader.readexactly(5)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + got)
        await writer.drain()
        writer.close()

    async with way(body) as to:
        head = f"POST http://{to.site}/ HTTP/1.1\r\nConnection: close\r\n"
        head += "Host: x\r\nContent-Length: 5\r\n\r\n"
        assert b"hello" in await to.ask(head + "hello")


@pytest.mark.parametrize(
    "request_",
    [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET ftp://127.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://user@127.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://127.0.0.1%00.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://127.0.0.1:99999/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http:///etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT 127.0.0.1:80:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT fe80::1%25lo:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST http://127.0.0.1/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00",
        "nonsense\r\n\r\n",
    ],
)
async def test_malformed_requests_are_not_answered(request_: str) -> None:
    async with way() as to:
        reader, writer = await to.send(request_)
        writer.write_eof()
        assert await reader.read() in (b"", b"reset")
        writer.close()
    assert to.notes == []


def answering(*answers: bytes, connections: list[int]) -> Handler:
    """A site that sends these, one a request, and counts who connects; it never closes first."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        try:
            for raw in answers:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(raw)
            await reader.read()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    return answer


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    "raw",
    [
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
        OK.replace(b"OK\r\n", b"OK\r\nTransfer-Encoding: identity\r\n"),
        OK.replace(b"OK\r\n", b"OK\r\nX-A : b\r\n"),
        OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"),
        b"\r\n" + OK,
        OK.replace(b"1.1", b"1.0"),
    ],
)
async def test_with_ambiguous_framing_the_browser_gets_one_answer_and_the_connection_ends(
    raw: bytes,
) -> None:
    async with way(answering(raw, connections=[])) as to:
        answer = await to.ask(get(f"http://{to.site}/"))
    assert answer.endswith(b"\r\n\r\nok")
    assert b"forged" not in answer


async def test_unrequested_bytes_are_not_taken_for_the_next_answer() -> None:
    connections: list[int] = []
    first_is_read, forged = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        if len(connections) == 1:
            await first_is_read.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
            forged.set()
        await reader.read()
        writer.close()

    async with way(answer) as to:
        reader, writer = await to.send(get(f"http://{to.site}/"))
        await reader.readuntil(b"ok")
        first_is_read.set()
        await forged.wait()
        writer.write(get(f"http://{to.site}/").encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(2) == b"ok"
        assert len(connections) == 2
        writer.close()


async def test_a_body_that_is_cut_short_arrives_as_far_as_it_came() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\narrived")
        await writer.drain()
        writer.close()

    async with way(cut) as to:
        assert (await to.ask(get(f"http://{to.site}/"))).endswith(b": 99\r\n\r\narrived")
    assert to.notes == []


async def test_a_body_of_unknown_length_is_sent_on_in_chunks() -> None:
    async def upload(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head.lower()
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + await reader.readuntil(b"0\r\n\r\n"))
        await writer.drain()
        writer.close()

    async with way(upload) as to:
        head = f"POST http://{to.site}/ HTTP/1.1\r\nConnection: close\r\nHost: x\r\n"
        body = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        assert b"5\r\nhello\r\n0\r\n\r\n" in await to.ask(head + body)


HINT = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\nContent-Length: 0\r\n\r\n",
        HINT.replace(b"<x>", b"a" * 20_000) + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["headers", "informational answers"],
)
async def test_all_that_a_site_sends_is_counted(raw: bytes) -> None:
    async with way(answering(*[raw] * 10, connections=[]), max_bytes=100_000) as to:
        reader, writer = await to.send("")
        answers = 0
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            for _ in range(10):
                writer.write(get(f"http://{to.site}/").encode())
                await reader.readuntil(b"\r\n\r\n")
                answers += 1
        writer.close()
    assert answers in (4, 5)
    assert to.notes == [Note(True, "127.0.0.1", TOO_MUCH)]


async def test_the_framing_of_a_body_is_counted() -> None:
    chunks = (b"1;" + b"x" * 999 + b"\r\na\r\n") * 200
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    async with way(answering(raw, connections=[]), max_bytes=100_000) as to:
        assert not (await to.ask(get(f"http://{to.site}/"))).endswith(b"0\r\n\r\n")
    assert to.notes == [Note(True, "127.0.0.1", TOO_MUCH)]


async def test_what_a_page_sends_is_counted_with_its_heads() -> None:
    async with way(max_bytes=100_000) as to:
        request = get(f"http://{to.site}/", "Connection: close", "X: " + "a" * 30_000)
        # The site sends the head back.
        assert (await to.ask(request)).startswith(b"HTTP/1.1 200")
        assert b"HTTP/1.1 200" not in await to.ask(request)
    assert to.notes == [Note(True, "127.0.0.1", TOO_MUCH)]


async def test_a_tunnel_is_counted_both_ways() -> None:
    async with way(max_bytes=100_000) as to:
        reader, writer = await to.send(f"CONNECT {to.site} HTTP/1.1\r\nHost: {to.site}\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"a" * 60_000 + b"\r\n\r\n")
        with suppress(ConnectionError):
            assert len(await reader.read()) < 60_000
        writer.close()
    assert to.notes == [Note(True, "127.0.0.1", TOO_MUCH)]


async def test_informational_answers_without_an_end_are_refused() -> None:
    async def hints(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while True:
                writer.write(HINT)
                await writer.drain()
        writer.close()

    async with way(hints) as to:
        assert await to.ask(get(f"http://{to.site}/")) == b""
    assert to.notes == [Note(False, "127.0.0.1", TOO_MANY_INFORMATIONAL)]


async def test_more_headers_than_a_browser_sends_are_not_read() -> None:
    async with way() as to:
        request = get(f"http://{to.site}/", *[f"a{n}: b" for n in range(5000)])
        assert await to.ask(request) in (b"", b"reset")
    assert to.notes == []


class Recorded(Turns):
    """Who asked for a turn, and who had one."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[str, object]] = []

    async def take(self, render: object) -> None:
        self.log.append(("asked", render))
        await super().take(render)
        self.log.append(("had", render))


async def test_a_flood_of_many_connections_has_one_turn_for_one_of_another_render() -> None:
    begun = asyncio.Semaphore(0)

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        begun.release()
        with suppress(OSError):
            while True:
                writer.write(b"1\r\na\r\n" * 5000)
                await writer.drain()
        writer.close()

    async def swallow(reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while await reader.read(1_000_000):
                pass

    turns = Recorded()
    async with (
        way(flood, max_bytes=10**12, turns=turns) as bad,
        way(max_bytes=10**12, turns=turns) as good,
    ):
        floods = [await bad.send(get(f"http://{bad.site}/")) for _ in range(30)]
        swallowing = [asyncio.create_task(swallow(reader)) for reader, _ in floods]
        for _ in floods:
            await begun.acquire()
        for _ in range(5):
            assert (await good.ask(get(f"http://{good.site}/", "Connection: close"))).startswith(
                b"HTTP/1.1 200"
            )
        for task in swallowing:
            task.cancel()
        for _, writer in floods:
            writer.close()
    waits = waits_of(good.proxy, turns.log)
    assert len(waits) >= 10
    assert max(waits) <= 2


def waits_of(render: object, log: list[tuple[str, object]]) -> list[int]:
    """How many turns others had, each time that the render waited for its own."""
    waits: list[int] = []
    others = 0
    for what, who in log:
        if who is not render:
            others += what == "had"
        elif what == "asked":
            others = 0
        else:
            waits.append(others)
    return waits


async def test_a_look_up_ends_with_its_render() -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def hang(host: str) -> list[Address]:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return []

    async with way(resolve=hang) as to:
        _, writer = await to.send(get("http://hangs.example/"))
        await asked.wait()
        to.proxy.close()
        async with asyncio.timeout(30):
            await ended.wait()
        writer.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.WriteTransport]:
    """The proxy's connections to sites."""
    transports: list[asyncio.WriteTransport] = []

    async def recorded(*args: Any) -> Stream:
        reader, writer = await dial(*args)
        transports.append(writer.transport)
        return reader, writer

    monkeypatch.setattr("farm.egress.proxy.dial", recorded)
    return transports


@pytest.mark.parametrize("method", ["CONNECT", "POST"])
async def test_a_connection_to_a_site_that_never_reads_is_closed_with_the_render(
    dialled: list[asyncio.WriteTransport], method: str
) -> None:
    async with way(max_bytes=10**9) as to:
        with socket.create_server(("127.0.0.1", 0)) as site:
            address = f"127.0.0.1:{site.getsockname()[1]}"
            target = address if method == "CONNECT" else f"http://{address}/"
            head = f"{method} {target} HTTP/1.1\r\nHost: {address}\r\n"
            length = "" if method == "CONNECT" else "Content-Length: 50000000\r\n"
            _, writer = await to.send(f"{head}{length}\r\n".encode() + bytes(50_000_000))
            await until(lambda: dialled and dialled[0].get_write_buffer_size() > 65_536)
            sock = dialled[0].get_extra_info("socket")
            to.proxy.close()
            await until(lambda: sock.fileno() == -1)
            writer.transport.abort()


async def test_what_was_written_to_a_closed_connection_is_sent_for_a_while_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("farm.egress.lingering.LINGER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as site:
        _, writer = await asyncio.open_connection(*site.getsockname())
        sock = writer.get_extra_info("socket")
        writer.write(bytes(50_000_000))
        lingering = Lingering()
        lingering.close(writer)
        assert len(lingering) == 1
        await until(lambda: sock.fileno() == -1 and not lingering)


async def test_a_peer_that_is_slow_gets_all_that_was_written() -> None:
    with socket.create_server(("127.0.0.1", 0)) as site:
        _, writer = await asyncio.open_connection(*site.getsockname())
        peer, _ = site.accept()
        writer.write(bytes(20_000_000))
        lingering = Lingering()
        lingering.close(writer)
        reader, theirs = await asyncio.open_connection(sock=peer)
        assert len(await reader.read()) == 20_000_000
        await until(lambda: not lingering)
        lingering.end()
        theirs.close()
