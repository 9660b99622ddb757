"""Clients that hold what they can of a farm: they send hardly anything, or read nothing."""

import json
import random
import socket
import threading
from contextlib import ExitStack, suppress

#: How many connections one of them has at a time, for how long, and how long between two bytes.
NUMBER = 40
_HELD_S = 4.0
_BETWEEN_S = 0.5

#: A page of noise, whose file is larger than a socket takes from a client that does not read.
NOISE = """<canvas id=c width=900 height=800></canvas><script>
const image = new ImageData(900, 800), words = new Uint32Array(image.data.buffer);
for (let i = 0, x = 1; i < words.length; i++) words[i] = x = (x * 1664525 + 1013904223) | 0;
c.getContext('2d').putImageData(image, 0, 0);
</script>"""


def post(path: str, length: int, start: bytes = b"") -> bytes:
    """A request's head, and the start of its body, which is announced to be so long."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode() + start


def unread_render() -> bytes:
    body = json.dumps({"html": NOISE, "options": {"width": 900, "height": 800}}).encode()
    return post("/render", len(body), body)


#: What each kind sends at first, and what it goes on with.
KINDS = {
    "silent": (b"", b""),
    "headers": (b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: ", b"a"),
    "ignored": (post("/nothing", 1_000_000), b"{"),
    "bodies": (post("/render", 1_000_000), b"{"),
    "announced": (post("/render-async", 52_428_800, b"{"), b""),
    "unread": (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 200, b""),
}


def connect(port: int, sent: bytes) -> socket.socket:
    """With a small buffer for what comes back."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(30)
    try:
        sock.connect(("127.0.0.1", port))
        sock.sendall(sent)
    except BaseException:
        sock.close()
        raise
    return sock


def hold(port: int, chance: random.Random, over: threading.Event) -> str:
    """Be one of them, until it is over at the latest; returns its kind."""
    kind = chance.choice([*KINDS, "renders"])
    start, more = KINDS.get(kind, (unread_render(), b""))
    with ExitStack() as stack:
        held = []
        for _ in range(4 if kind == "renders" else NUMBER):
            with suppress(OSError):
                held.append(stack.enter_context(connect(port, start)))
        for _ in range(int(_HELD_S / _BETWEEN_S)):
            if over.wait(_BETWEEN_S):
                break
            for sock in held:
                with suppress(OSError):
                    sock.sendall(more)
    return kind
