"""The request's field `cache`, beside `options`: whether a kept file may be the answer."""

from farm.request.group import Group, option
from farm.settings import MAX_CACHE_TTL_S


class Caching(Group):
    ttl: int = option(
        ...,
        "How long the file is kept, and how old a kept file may be; 0: no file is kept.",
        unit="seconds",
        ge=0,
        le=MAX_CACHE_TTL_S,
    )
