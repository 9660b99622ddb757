"""The converting process: `python -m farm.markdown FD`, started by `farm.markdown.Converter`.

FD is a socket to the farm. Both sides send frames: a kind, a length, and so many bytes of UTF-8.
The process ends when the farm closes the socket, and so when the farm ends.
"""

import os
import resource
import socket
import struct
import sys
from contextlib import suppress

#: The kinds of frames. The farm asks for a document with or without margins on paper, or for a part
#: of a document. The process answers with the HTML, or with the reason why there is none.
WITH_MARGINS, WITHOUT_MARGINS, PART, DOCUMENT, TOO_LARGE, FAILED = range(6)
HEAD = struct.Struct("!BQ")
#: The same bound as for HTML in a request. A few bytes of Markdown can become any number of bytes:
#: a long link reference can be used many times.
MAX_DOCUMENT_BYTES = 52_428_800
_MAX_MEMORY_BYTES = 2 << 30
#: CPU time for one document. The farm gives up much earlier; this bound ends a regular expression
#: that runs for ever after the farm has gone.
_MAX_CPU_S = 60
#: The same niceness as Chromium's processes have, so that the farm's own process goes first.
_NICE = 5
_PIECE_BYTES = 1 << 20


def send(sock: socket.socket, kind: int, data: bytes) -> None:
    sock.sendall(HEAD.pack(kind, len(data)))
    sock.sendall(data)


def receive(sock: socket.socket, most: int) -> bytearray:
    """Exactly `most` bytes. Raises `EOFError` at the end of the connection."""
    come = bytearray()
    while len(come) < most:
        piece = sock.recv(min(most - len(come), _PIECE_BYTES))
        if not piece:
            raise EOFError
        come += piece
    return come


def main() -> None:
    sock = socket.socket(fileno=int(sys.argv[1]))
    os.nice(_NICE)
    with suppress(OSError, ValueError):  # the machine's own limit is lower
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    # Imported here since it is slow; the process does it once.
    from farm.markdown.document import to_document, to_part

    with suppress(OSError, EOFError):
        while True:
            asked, length = HEAD.unpack(receive(sock, HEAD.size))
            markdown = receive(sock, length).decode()
            _allow_time()
            kind, data = FAILED, b""
            try:
                if asked == PART:
                    data = to_part(markdown).encode()
                else:
                    data = to_document(markdown, asked == WITH_MARGINS).encode()
                kind = DOCUMENT
                if len(data) > MAX_DOCUMENT_BYTES:
                    kind, data = TOO_LARGE, b""
            except MemoryError:
                kind = TOO_LARGE
            except Exception as exc:
                data = repr(exc)[:1000].encode(errors="replace")
            send(sock, kind, data)


def _allow_time() -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used_s = int(usage.ru_utime + usage.ru_stime) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (used_s + _MAX_CPU_S, hard))
