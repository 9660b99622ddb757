"""The cache of rendered files."""

from typing import Literal

from pydantic import Field, field_validator

from farm.settings.group import MAX_CACHE_TTL_S, Group, check_redis_url


class Cache(Group):
    """The [cache](api.md#the-cache) of rendered files."""

    cache_ttl_s: int = Field(
        0,
        ge=0,
        le=MAX_CACHE_TTL_S,
        description="Seconds for which files are kept, to answer the same request again, where the "
        "request itself says nothing (`cache.ttl`); 0: they are not.",
    )
    cache_url: str | None = Field(
        None,
        description="The Redis or Valkey that keeps them, one of its own, since it has to evict "
        "(`maxmemory-policy allkeys-lru`) and the queue's must not. Unset: where the queue is "
        "embedded, a second embedded Valkey, started when it is first wanted; else none.",
    )
    cache_memory_bytes: int = Field(
        536_870_912, ge=16_777_216, description="`maxmemory` of that embedded Valkey."
    )
    cache_max_file_bytes: int = Field(
        4_194_304, ge=1, description="Files that are larger are not kept."
    )
    cache_timeout_ms: int = Field(
        50,
        ge=1,
        le=10_000,
        description="Milliseconds that a call of that Redis may take, beside 0.1 s for each MB of "
        "its file; when it takes longer, a request is rendered as if there were none.",
    )
    cache_shared: Literal["off", "on"] = Field(
        "off",
        description="`on`: a caller may be answered with what was rendered for another one. `off`: "
        "each API key has files of its own.",
    )

    @field_validator("cache_url")
    @classmethod
    def _check_cache_url(cls, url: str | None) -> str | None:
        return check_redis_url(url)
