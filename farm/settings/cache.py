"""Settings of the cache of rendered files."""

from typing import Literal

from pydantic import Field, field_validator

from farm.settings.group import MAX_CACHE_TTL_S, Group, check_redis_url


class Cache(Group):
    """The [cache](api.md#the-cache) of rendered files."""

    cache_ttl_s: int = Field(
        0,
        ge=0,
        le=MAX_CACHE_TTL_S,
        description="Seconds for which a file is kept and answers equal requests, unless the "
        "request says otherwise (`cache.ttl`); 0: files are not kept.",
    )
    cache_url: str | None = Field(
        None,
        description="The Redis or Valkey that keeps the files. It must be another server than the "
        "queue's, since it has to evict (`maxmemory-policy allkeys-lru`) and the queue's must not. "
        "Unset: if the queue is embedded, a second embedded Valkey, started at the first request "
        "for it; otherwise there is no cache.",
    )
    cache_memory_bytes: int = Field(
        536_870_912, ge=16_777_216, description="`maxmemory` of the cache's embedded Valkey."
    )
    cache_max_file_bytes: int = Field(
        4_194_304, ge=1, description="Bytes that a kept file may have; larger files are not kept."
    )
    cache_timeout_ms: int = Field(
        50,
        ge=1,
        le=10_000,
        description="Milliseconds that a call of the cache's Redis may take, plus 0.1 s for each "
        "MB of its file. If a call takes longer, the page is rendered as if there were no cache.",
    )
    cache_shared: Literal["off", "on"] = Field(
        "off",
        description="`on`: a caller may get a file that was rendered for another caller. `off`: "
        "each API key has files of its own.",
    )

    @field_validator("cache_url")
    @classmethod
    def _check_cache_url(cls, url: str | None) -> str | None:
        return check_redis_url(url)
