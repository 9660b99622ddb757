"""An S3-like store: `python -m tests.instances.bucket ADDRESS PORT`.

What obstore asks of a bucket, in memory: put, get (of a range, too), head, delete (of many, too)
and list. Like S3 it refuses whose clock differs from its own by more than fifteen minutes.
"""

import hashlib
import sys
import threading
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.support.quiet import QuietServer

_MAX_SKEW_S = 900
_PAGE = 1000


@dataclass(frozen=True)
class _Object:
    data: bytes
    modified: datetime

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.data).hexdigest()}"'


_objects: dict[str, _Object] = {}
_lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        if (body := self._body()) is not None:
            made = _Object(body, datetime.now(UTC))
            with _lock:
                _objects[self._key] = made
            self._send(200, headers={"ETag": made.etag})

    def do_GET(self) -> None:
        if self._body() is None:
            return
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            self._list(query.get("prefix", [""])[0], query)
        elif (found := self._found()) is not None:
            self._get(found)

    def do_HEAD(self) -> None:
        if self._body() is not None and (found := self._found()) is not None:
            self._send(200, found.data, _facts(found))

    def do_DELETE(self) -> None:
        if self._body() is not None:
            with _lock:
                _objects.pop(self._key, None)
            self._send(204)

    def do_POST(self) -> None:
        """The deletion of many."""
        if (body := self._body()) is None:
            return
        bucket = urlsplit(self.path).path.strip("/")
        keys = [key.text or "" for key in ET.fromstring(body).iter() if key.tag.endswith("Key")]
        with _lock:
            for key in keys:
                _objects.pop(f"{bucket}/{key}", None)
        deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        self._send(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())

    def _get(self, found: _Object) -> None:
        headers, size = _facts(found), len(found.data)
        wanted = self.headers.get("Range", "")
        if not wanted:
            self._send(200, found.data, headers)
            return
        start, _, last = wanted.removeprefix("bytes=").partition("-")
        if piece := found.data[int(start) : int(last) + 1 if last else None]:
            headers["Content-Range"] = f"bytes {start}-{int(start) + len(piece) - 1}/{size}"
            self._send(206, piece, headers)
        else:
            self._fail(416, "InvalidRange")

    def _list(self, prefix: str, query: dict[str, list[str]]) -> None:
        bucket = urlsplit(self.path).path.strip("/")
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        with _lock:
            names = sorted(name.removeprefix(f"{bucket}/") for name in _objects)
            names = [name for name in names if name.startswith(prefix) and name > after]
            found = [(name, _objects[f"{bucket}/{name}"]) for name in names[:_PAGE]]
        entries = [
            f"<Contents><Key>{escape(name)}</Key><Size>{len(each.data)}</Size>"
            f"<LastModified>{each.modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>{escape(each.etag)}</ETag></Contents>"
            for name, each in found
        ]
        more = "<IsTruncated>false</IsTruncated>"
        if len(names) > _PAGE:
            token = f"<NextContinuationToken>{escape(names[_PAGE - 1])}</NextContinuationToken>"
            more = f"<IsTruncated>true</IsTruncated>{token}"
        self._send(200, f"<ListBucketResult>{more}{''.join(entries)}</ListBucketResult>".encode())

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).strip("/")

    def _found(self) -> _Object | None:
        with _lock:
            found = _objects.get(self._key)
        if found is None:
            self._fail(404, "NoSuchKey")
        return found

    def _body(self) -> bytes | None:
        """None if the request was refused."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        signed = datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs((datetime.now(UTC) - signed).total_seconds()) > _MAX_SKEW_S:
            self._fail(403, "RequestTimeTooSkewed")
            return None
        return body

    def _fail(self, status: int, code: str) -> None:
        self._send(status, f"<Error><Code>{code}</Code></Error>".encode())

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _facts(found: _Object) -> dict[str, str]:
    return {"ETag": found.etag, "Last-Modified": format_datetime(found.modified, usegmt=True)}


if __name__ == "__main__":
    address, port = sys.argv[1:]
    QuietServer.request_queue_size = 64
    QuietServer((address, int(port)), _Handler).serve_forever()
