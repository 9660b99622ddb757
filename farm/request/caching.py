"""Whether an answer may be one that was rendered before; `cache` stands beside `options`."""

from farm.request.group import Group, option
from farm.settings import MAX_CACHE_TTL_S


class Caching(Group):
    ttl: int = option(
        ...,
        "For how long the file is kept, and how old one may be; 0: none is kept.",
        unit="seconds",
        ge=0,
        le=MAX_CACHE_TTL_S,
    )
