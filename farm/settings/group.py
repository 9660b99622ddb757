"""The base class of a group of settings, shared checks, and limits that are not settings."""

from urllib.parse import urlsplit

from pydantic import BaseModel

#: The HTTP contract's limit for a body (50 MiB).
MAX_BODY_BYTES = 52_428_800
#: Threads of a worker that may wait for clients to read their answers. If more clients are slow,
#: the slowest one is disconnected.
MAX_SENDING = 64
#: Threads of a worker that may wait for another request's render. Such a request needs no page and
#: no place in the queue. Further requests are refused.
MAX_JOINED = 256
#: The longest time for which a request may have its file kept: a week.
MAX_CACHE_TTL_S = 604_800
_REDIS_SCHEMES = ("redis", "rediss", "unix")


class Group(BaseModel):
    """Settings that belong together. Each is a field with its unit, default, check and help."""


def split(value: object) -> object:
    """The parts of a text that are separated by commas. Other values are returned unchanged."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def check_redis_url(url: str | None) -> str | None:
    if url and urlsplit(url).scheme not in _REDIS_SCHEMES:
        raise ValueError("must be a URL such as redis://host:6379/0, rediss://… or unix:///path")
    return url
