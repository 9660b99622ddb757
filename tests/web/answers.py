"""Checks an answer against the HTTP contract."""

import uuid
from typing import Any

import falcon.testing


def assert_is_error(result: falcon.testing.Result, status: int, code: str) -> dict[str, Any]:
    """Every error has the contract's one shape."""
    assert result.status_code == status
    assert result.headers["Content-Type"] == "application/json"
    body: dict[str, Any] = result.json
    assert set(body) <= {"success", "error", "code", "requestId", "details"}
    assert body["success"] is False
    assert body["code"] == code
    assert body["error"].endswith(".")
    uuid.UUID(body["requestId"], version=4)
    assert result.headers["X-Request-Id"] == body["requestId"]
    return body
