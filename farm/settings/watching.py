"""Settings of the dashboard, metrics and the log."""

from typing import Literal

from pydantic import Field

from farm.settings.group import Group


class Watching(Group):
    """The dashboard, metrics and the log: [operate.md](operate.md)."""

    dashboard_host: str = Field(
        "127.0.0.1", description="Address that `farm dashboard` listens on."
    )
    dashboard_port: int = Field(
        9181, ge=1, le=65535, description="TCP port that `farm dashboard` listens on."
    )
    dashboard_password: str | None = Field(
        None,
        description="Password of `farm dashboard`, whose user is `farm`. Unset: no password, and "
        "the dashboard may listen on loopback only.",
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="TCP port on which `farm worker` answers `/metrics` to Prometheus, on "
        "FARM_HOST; 0: none. `farm serve` answers it beside its API.",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="`json`: one object a line; `text`: for people; `auto`: by terminal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level of messages that are logged."
    )
