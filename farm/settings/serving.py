"""Settings of the HTTP server: its address, its processes, and the limits of requests."""

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import NoDecode

from farm.settings.group import MAX_BODY_BYTES, Group, split

#: The other services whose routes the farm can have.
COMPATIBLE = ("gotenberg", "browserless")


class Serving(Group):
    """What the HTTP server listens on, and what requests may take of it."""

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on; `0.0.0.0` to be reached from other machines, `::` by "
        "IPv6 too.",
    )
    port: int = Field(
        3000,
        ge=1,
        le=65535,
        validation_alias=AliasChoices("FARM_PORT", "PORT"),
        description="TCP port to listen on; `PORT` is read too.",
    )
    workers: int | None = Field(
        None,
        ge=1,
        le=64,
        description="gunicorn workers, a browser each. Unset: one for every two cores of the "
        "cgroup's quota, at least one (four busy pages of one browser fill two cores).",
    )
    max_requests: int = Field(
        20_000,
        ge=0,
        description="Requests after which a worker is replaced, give or take a tenth; 0: never.",
    )
    max_connections_per_address: int = Field(
        512,
        ge=1,
        le=100_000,
        description="Connections of a worker from one client address (of IPv6: one /64); beyond "
        "it, the connection that has been silent longest is closed. Behind a balancer all clients "
        "have the balancer's address: use more than the connections that the balancer opens to a "
        "worker.",
    )
    body_budget_bytes: int = Field(
        134_217_728,
        ge=MAX_BODY_BYTES,
        description="Bytes of request bodies that a worker holds at the same time, counted as they "
        "arrive; beyond it the slowest are answered `busy`. An eighth more is kept for bodies of "
        "up to 1 MiB. One body may have 52,428,800 bytes.",
    )
    body_deadline_s: float = Field(
        20, gt=0, le=600, description="Seconds a request's body may take to arrive; then 408."
    )
    max_submissions: int = Field(
        32,
        ge=1,
        le=1000,
        description="Jobs that a gunicorn worker stores and queues at the same time; more are "
        "answered `busy`.",
    )
    max_long_polls: int = Field(
        32,
        ge=0,
        le=1000,
        description="Requests of a gunicorn worker that may wait for a job to end; more are "
        "answered at once.",
    )
    max_downloads: int = Field(
        16,
        ge=1,
        le=1000,
        description="Downloads of a gunicorn worker at the same time; more are answered `busy`.",
    )
    download_deadline_s: float = Field(
        120,
        gt=0,
        le=3600,
        description="Seconds that an answer may take to be sent, a download or any other; then it "
        "is broken off.",
    )
    compat: Annotated[tuple[str, ...], NoDecode] = Field(
        COMPATIBLE,
        description="Other services whose routes the farm has too, separated by commas: "
        "`gotenberg`, `browserless` (and Cloudflare's Browser Rendering); `off`: none. "
        "See docs/migrating.md.",
    )
    playground: Literal["on", "off"] = Field(
        "on",
        description="Whether the farm has pages of its own: the playground at `/`, the API page at "
        "`/docs`, and `/openapi.json`. They are open to all who reach the farm; renders are not.",
    )

    @field_validator("compat", mode="before")
    @classmethod
    def _split_compat(cls, value: object) -> object:
        return () if value == "off" else split(value)

    @field_validator("compat")
    @classmethod
    def _check_compat(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in COMPATIBLE:
                raise ValueError(f"{name!r} is none of {', '.join(COMPATIBLE)}, off")
        return names
