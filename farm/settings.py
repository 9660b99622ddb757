"""Every setting of the farm: an environment variable `FARM_…`, its unit, default, check and help.

`Settings.from_environment()` reads them all and reports everything that is wrong at once, unknown
`FARM_` names included, as one `SettingsError`. `docs/settings.md` is generated from this file.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from farm.errors import StartError

PREFIX = "FARM_"
#: The contract's limit on one body (50 MiB).
MAX_BODY_BYTES = 52_428_800


class SettingsError(StartError):
    """One line for every setting that is wrong."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on; `0.0.0.0` to be reached from other machines.",
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
        description="Worker processes, a browser each. Unset: one for every two cores of the "
        "cgroup's quota, at least one (four busy pages of one browser fill two cores).",
    )
    pages_per_browser: int = Field(
        8, ge=1, le=64, description="Pages a browser renders at the same time."
    )
    max_waiting: int = Field(
        56, ge=0, le=1000, description="Renders that may wait in a worker's line for a page."
    )
    spare_contexts: int = Field(
        2, ge=0, le=16, description="Browser contexts made ahead of the requests, in each worker."
    )
    render_deadline_s: float = Field(
        30,
        gt=0,
        le=600,
        description="Seconds a render may take, its wait in line included; then it is a 504.",
    )
    max_pixels: int = Field(
        67_108_864,
        ge=1,
        description="Largest image, in pixels (width × height); 4 bytes each in the browser.",
    )
    body_budget_bytes: int = Field(
        134_217_728,
        ge=MAX_BODY_BYTES,
        description="Bytes of request bodies that a worker holds at the same time; beyond it "
        "requests are answered `busy`. One body may have 52,428,800 bytes.",
    )
    body_deadline_s: float = Field(
        20, gt=0, le=600, description="Seconds a request's body may take to arrive; then 408."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins whose pages may call the farm, separated by commas; `*` for any. "
        "Unset: no CORS headers.",
    )
    max_requests: int = Field(
        20_000,
        ge=0,
        description="Requests after which a worker is replaced, give or take a tenth; 0: never.",
    )
    chromium_path: Path | None = Field(
        None,
        description="The Chromium to use. Unset: Playwright's own headless shell, else a "
        "system headless shell, else a system Chromium.",
    )
    chromium_sandbox: Literal["on", "off"] = Field(
        "on",
        description="Chromium's own sandbox. `off` lets a page that breaks into its process "
        "do all that the browser's user may.",
    )
    user: str = Field(
        "nobody",
        description="Whom Chromium runs as when the farm is started as root.",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="`json`: one object a line; `text`: for people; `auto`: by terminal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least grave message that is logged."
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _check_cors(self) -> "Settings":
        for origin in self.cors_origins:
            if origin != "*" and not origin.startswith(("http://", "https://")):
                raise ValueError(
                    f"{PREFIX}CORS_ORIGINS: {origin!r} is not an origin such as "
                    "https://app.example.com"
                )
        return self

    @property
    def worker_count(self) -> int:
        return self.workers or max(1, int(usable_cores() // 2))

    @property
    def body_readers(self) -> int:
        """Threads of a worker that may read bodies at the same time."""
        return max(4, (self.pages_per_browser + self.max_waiting) // 2)

    @property
    def threads(self) -> int:
        """Threads of a worker: renders that run or wait, bodies that arrive, and eight more.

        The eight are never held for long, so health and refusals are always answered.
        """
        return self.pages_per_browser + self.max_waiting + self.body_readers + 8

    @classmethod
    def from_environment(cls) -> "Settings":
        """Raises `SettingsError`, which names every variable that is wrong."""
        problems = unknown_names(os.environ)
        try:
            settings = cls()
        except ValidationError as exc:
            for error in exc.errors():
                problems.append(_sentence(error["loc"], error["msg"]))
            raise SettingsError("\n".join(problems)) from exc
        if problems:
            raise SettingsError("\n".join(problems))
        return settings


def variable_name(field: str) -> str:
    return PREFIX + field.upper()


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """A sentence for every `FARM_` variable that no setting reads."""
    known = [variable_name(field) for field in Settings.model_fields]
    sentences = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, 1, cutoff=0.8)
            hint = f"; did you mean {close[0]}?" if close else ""
            sentences.append(f"{name} is not a setting{hint}")
    return sentences


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not location:
        return message
    name = str(location[0])
    if not name.isupper():
        name = variable_name(name)
    return f"{name}: {message[0].lower()}{message[1:]}"


def usable_cores(root: Path = Path("/sys/fs/cgroup")) -> float:
    """Cores this process may use: its affinity, and the quota of its cgroup (v2 or v1)."""
    cores = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return cores
    if quota in ("max", "-1"):
        return cores
    return min(cores, int(quota) / int(period))
