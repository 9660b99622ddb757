"""Settings of the job queue, its workers, and the storage of jobs' inputs and files."""

from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, field_validator

from farm.settings.group import Group, check_redis_url

#: The URL schemes of the storage: those of obstore, and `redis` for the queue's own Redis.
_STORAGE_SCHEMES = ("file", "s3", "gs", "az", "redis")


class Jobs(Group):
    """The job queue, its workers, and where jobs' inputs and files are: [jobs.md](jobs.md)."""

    data_dir: Path = Field(
        Path("data"),
        description="Directory of what the farm keeps itself: the embedded Valkey's data, and "
        "the jobs' files unless `FARM_STORAGE_URL` says otherwise.",
    )
    redis_url: str | None = Field(
        None,
        description="The Redis or Valkey of the job queue: `redis://`, `rediss://` (TLS) or "
        "`unix://`, user and password in it. Unset: `farm serve` starts an embedded Valkey and "
        "a worker.",
    )
    redis_eviction: Literal["refuse", "allow"] = Field(
        "refuse",
        description="What to do with a Redis whose `maxmemory-policy` evicts keys. Such a Redis "
        "may lose accepted jobs without an error.",
    )
    embedded_memory_bytes: int = Field(
        536_870_912,
        ge=16_777_216,
        description="`maxmemory` of the embedded Valkey; submissions are refused from nine "
        "tenths of it.",
    )
    storage_url: str | None = Field(
        None,
        description="Where jobs' inputs and files live: `file:///dir`, `s3://bucket/prefix`, "
        "`gs://…`, `az://…`, or `redis:` for the queue's own Redis. Unset: in `FARM_DATA_DIR`, "
        "which needs the embedded Valkey.",
    )
    redis_storage_bytes: int = Field(
        268_435_456,
        ge=1_048_576,
        description="Bytes of inputs and files that `redis:` storage may hold; submissions are "
        "refused from three quarters of it.",
    )
    job_ttl_s: int = Field(
        3600,
        ge=1,
        le=2_592_000,
        description="Seconds for which a job's state and file are kept after it ended.",
    )
    job_concurrency: int = Field(
        4, ge=1, le=64, description="Jobs that one `farm worker` renders at the same time."
    )
    job_grace_s: float = Field(
        45,
        ge=0,
        le=3600,
        description="Seconds that a stopping `farm worker` gives its running jobs; the rest is "
        "handed back to the queue.",
    )

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: str | None) -> str | None:
        return check_redis_url(url)

    @field_validator("storage_url")
    @classmethod
    def _check_storage_url(cls, url: str | None) -> str | None:
        if url and urlsplit(url).scheme not in _STORAGE_SCHEMES:
            raise ValueError("must be file:///dir, s3://…, gs://…, az://… or redis:")
        return url

    @property
    def embedded(self) -> bool:
        """Whether the job queue is in a Valkey that `farm serve` starts itself."""
        return self.redis_url is None

    @property
    def embedded_socket(self) -> Path:
        """The Unix socket of the embedded Valkey."""
        return self.data_dir.absolute() / "valkey" / "valkey.sock"

    @property
    def queue_url(self) -> str:
        """The URL of the job queue's Redis: the embedded one or that of `FARM_REDIS_URL`."""
        return self.redis_url or f"unix://{quote(str(self.embedded_socket))}"

    @property
    def files_url(self) -> str:
        """The URL of the storage for jobs' inputs and files."""
        return self.storage_url or (self.data_dir.absolute() / "storage").as_uri()
