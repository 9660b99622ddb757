"""Errors as bytes, sent without the application: for a malformed head, or a client too many.

The main loop sends them.
"""

import http
import json
import uuid

from farm.errors import FarmError, RateLimited, Unavailable


def error_body(error: FarmError, request_id: str) -> dict[str, object]:
    """The JSON of every error (docs/api.md)."""
    return {
        "success": False,
        "error": str(error),
        "code": error.code,
        "requestId": request_id,
    }


def refusal(error: FarmError) -> bytes:
    """A complete answer, after which the connection must be closed."""
    request_id = str(uuid.uuid4())
    body = json.dumps(error_body(error, request_id)).encode()
    lines = [
        f"HTTP/1.1 {error.status} {http.HTTPStatus(error.status).phrase}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"X-Request-Id: {request_id}",
    ]
    if isinstance(error, Unavailable | RateLimited):
        lines.append(f"Retry-After: {error.retry_after_s}")
    return "\r\n".join([*lines, "", ""]).encode() + body
