"""What the groups of settings share: their base, limits that are no settings, and their checks."""

from urllib.parse import urlsplit

from pydantic import BaseModel

#: The contract's limit on one body (50 MiB).
MAX_BODY_BYTES = 52_428_800
#: Threads of a worker that may wait for clients to read their answers; beyond these the slowest
#: client is broken off.
MAX_SENDING = 64
#: Threads of a worker that may wait for another request's render, which takes no page and no place
#: in the line; more of them are refused.
MAX_JOINED = 256
#: The longest that requests may have their files kept: a week.
MAX_CACHE_TTL_S = 604_800
_REDIS_SCHEMES = ("redis", "rediss", "unix")


class Group(BaseModel):
    """Settings that belong together, each a field that says its unit, default, check and help."""


def split(value: object) -> object:
    """The parts of a text that has commas between them."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def check_redis_url(url: str | None) -> str | None:
    if url and urlsplit(url).scheme not in _REDIS_SCHEMES:
        raise ValueError("must be a URL such as redis://host:6379/0, rediss://… or unix:///path")
    return url
