"""Parses request bodies, and collects what is wrong with them."""

import json

import pytest

from farm.errors import InvalidRequest
from farm.request import Limits, RenderRequest

LIMITS = Limits(deadline_ms=30_000, max_pixels=67_108_864)


def parse(value: object, source: str = "html") -> RenderRequest:
    """The request of a body: bytes, or a value that becomes JSON."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return RenderRequest.parse(body, (source,), LIMITS)


def with_options(**options: object) -> RenderRequest:
    return parse({"html": "x", "options": options})


def problems(value: object, source: str = "html") -> dict[str, str]:
    """The problems that the body is rejected with, by field."""
    with pytest.raises(InvalidRequest) as caught:
        parse(value, source)
    return {problem.field: problem.problem for problem in caught.value.problems}
