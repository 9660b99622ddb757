"""One request on a connection of its own, whose local port tells whose it was in the farm."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """`error` is the name of what broke the connection; then there is no status."""

    local_port: int
    seconds: float
    ended: float
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """`ok`, an error's code, or `untyped …`."""
        if self.error:
            return f"untyped {self.error}"
        if self.status in (200, 202):
            return "ok"
        try:
            answer = self.json
            if self.status == 503 and int(self.headers["retry-after"]) < 1:
                return "untyped 503 without Retry-After"
            return str(answer["code"]) if answer["success"] is False else "untyped success"
        except (ValueError, KeyError, TypeError):
            return f"untyped {self.status}"


def ask(
    port: int,
    method: str,
    path: str,
    body: object = None,
    accept: str = "*/*",
    *,
    timeout_s: float,
    host: str = "127.0.0.1",
    more: Mapping[str, str] | None = None,
) -> Answer:
    """Never raises: what goes wrong is in the answer. `more`: headers."""
    started = time.monotonic()
    local_port = 0
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.connect()
        local_port = connection.sock.getsockname()[1]
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": accept, "Connection": "close"}
        headers |= more or {}
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as exc:
        ended = time.monotonic()
        return Answer(local_port, ended - started, ended, error=type(exc).__name__)
    finally:
        connection.close()
    ended = time.monotonic()
    answered = {name.lower(): value for name, value in response.getheaders()}
    return Answer(local_port, ended - started, ended, response.status, answered, content)
