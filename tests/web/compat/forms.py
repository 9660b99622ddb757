"""Forms as clients of gotenberg's send them."""

from collections.abc import Sequence

BOUNDARY = "a-boundary"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"

#: A name, a text, and the name of a file where it is one.
Part = tuple[str, str | bytes] | tuple[str, str | bytes, str]


def form(parts: Sequence[Part]) -> bytes:
    """The body of a form."""
    written = b"".join(map(_part, parts))
    return written + f"--{BOUNDARY}--\r\n".encode()


def _part(part: Part) -> bytes:
    name, data, *filename = part
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    if filename:
        head += f'; filename="{filename[0]}"'
    data = data.encode(errors="surrogatepass") if isinstance(data, str) else data
    return f"{head}\r\n\r\n".encode() + data + b"\r\n"
