"""What the egress proxy costs: `python -m bench.measures.boundary [--seconds 15] [--rounds 3]`.

In turn an engine as it is, and one whose browser reaches the network directly, render simple HTML
(8 at a time) and the URL of a slow site (32 at a time, 16 pages: a page of 300 ms with three images
of 200 ms each). Prints a table in Markdown.
"""

import asyncio
import itertools
import json
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

import click

from bench.workloads.pages import SIMPLE, Workload
from farm.render import Engine
from farm.request import HTML_OR_URL, RenderRequest
from farm.settings import Settings
from tests.support.no_boundary import no_boundary
from tests.support.site import RED, SITES

PAGE = b"<!doctype html><body style='margin:0'>" + b"".join(
    b"<img src=/image-%d.svg>" % number for number in range(3)
)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with_page = b"GET / " in await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.3 if with_page else 0.2)
    body, kind = (PAGE, b"text/html") if with_page else (RED, b"image/svg+xml")
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    writer.write(head % (kind, len(body)) + body)
    await writer.drain()
    writer.close()


def serve_slowly(ports: "multiprocessing.Queue[int]") -> None:
    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def slow_site() -> Iterator[str]:
    """The URL of a slow site in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ports: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=serve_slowly, args=(ports,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ports.get()}/"
    finally:
        process.terminate()


def rate(engine: Engine, source: dict[str, str], clients: int, seconds: float) -> float:
    """Right renders a second."""
    request = RenderRequest.parse(json.dumps(source).encode(), HTML_OR_URL, engine.limits)
    end = time.monotonic() + seconds

    def client(_: int) -> int:
        for count in itertools.count():
            if time.monotonic() > end:
                return count
            assert not Workload("any").problem(engine.render(request).data)
        raise AssertionError

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(client, range(clients))) / seconds


@click.command()
@click.option("--seconds", default=15.0, show_default=True)
@click.option("--rounds", default=3, show_default=True)
def main(seconds: float, rounds: int) -> None:
    settings = Settings(egress_allow=SITES, pages_per_browser=16)
    rates: dict[tuple[str, str], list[float]] = {}
    with slow_site() as url:
        work = {
            "simple HTML, 8 at a time": (SIMPLE.body(""), 8),
            "slow URL, 32": ({"url": url}, 32),
        }
        for _ in range(rounds):
            for way in ("direct", "through the proxy"):
                engine = Engine(settings)
                with no_boundary() if way == "direct" else nullcontext():
                    engine.start()
                    engine.wait_started()
                    for what, (source, clients) in work.items():
                        rate(engine, source, clients, 2)
                        rates.setdefault((what, way), []).append(
                            rate(engine, source, clients, seconds)
                        )
                    engine.close()
    print("| work | direct, a second | through the proxy | ratio of the medians |")
    print("|---|---|---|---|")
    for what in work:
        direct, proxied = rates[what, "direct"], rates[what, "through the proxy"]
        ratio = statistics.median(proxied) / statistics.median(direct)
        shown = [", ".join(f"{rate:.1f}" for rate in rates) for rates in (direct, proxied)]
        print(f"| {what} | {shown[0]} | {shown[1]} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
