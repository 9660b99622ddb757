"""One request, sent again and again on so many connections: `python -m bench.measures.asking`.

For what is answered faster than locust asks: it reads answers as bytes, and takes about 30 µs of
one core for each. It says how busy it was, so that one sees which of the two was the slower.
"""

import json
import selectors
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field


@dataclass
class Asked:
    """Of the answers that came within the time; milliseconds, sorted."""

    seconds: float
    latencies_ms: list[float] = field(default_factory=list, repr=False)
    #: How many had which status and `X-Farm-Cache`.
    kinds: dict[str, int] = field(default_factory=dict)
    #: The part of the time for which this program itself was at work.
    busy: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.latencies_ms) / self.seconds


class _Client:
    def __init__(self, port: int, request: bytes) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request

    def ask(self) -> None:
        self._answer, self._size = b"", -1
        self.began = time.perf_counter()
        self.sock.sendall(self._request)

    def read(self) -> str | None:
        """The answer's kind, once it is there whole."""
        data = self.sock.recv(1 << 18)
        if not data:
            raise ConnectionError("the farm has closed a connection")
        self._answer += data
        if self._size < 0:
            head, found, _ = self._answer.partition(b"\r\n\r\n")
            if not found:
                return None
            lines = head.lower().split(b"\r\n")
            headers = dict(line.split(b": ", 1) for line in lines[1:])
            self._size = len(head) + 4 + int(headers.get(b"content-length", 0))
            status, cache = lines[0].split()[1], headers.get(b"x-farm-cache", b"")
            self._kind = f"{status.decode()} {cache.decode()}".strip()
        return self._kind if len(self._answer) >= self._size else None


def ask(port: int, request: bytes, clients: int, seconds: float, warm_up_s: float = 1.0) -> Asked:
    """Each client asks as soon as it has its answer."""
    selector = selectors.DefaultSelector()
    for _ in range(clients):
        client = _Client(port, request)
        selector.register(client.sock, selectors.EVENT_READ, client)
        client.ask()
    asked, kinds = Asked(seconds), Counter[str]()
    start = time.perf_counter() + warm_up_s
    end, worked = start + seconds, 0.0
    while (now := time.perf_counter()) < end:
        worked = worked or (time.process_time() if now >= start else 0.0)
        for key, _ in selector.select(0.1):
            client = key.data
            kind = client.read()
            if kind is None:
                continue
            if (now := time.perf_counter()) >= start:
                asked.latencies_ms.append((now - client.began) * 1000)
                kinds[kind] += 1
            client.ask()
    asked.busy = (time.process_time() - worked) / seconds
    asked.latencies_ms.sort()
    asked.kinds = dict(kinds)
    return asked


def post(path: str, body: bytes, accept: str = "image/png") -> bytes:
    """A whole request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Accept: {accept}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


if __name__ == "__main__":
    _port, _clients, _seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    print(json.dumps(asdict(ask(_port, sys.stdin.buffer.read(), _clients, _seconds))))
