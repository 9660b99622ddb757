"""Every setting of the farm: an environment variable `FARM_…`, its unit, default, check and help.

`Settings.from_environment()` reads them all and reports everything that is wrong at once, unknown
`FARM_` names included, as one `SettingsError`. `docs/settings.md` is generated from this file.
"""

import difflib
import math
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from farm.callers import ApiKeys
from farm.policy import Names, Policy
from farm.errors import StartError
from farm.machine import usable_cores
from farm.rates import parse_rates

PREFIX = "FARM_"
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
#: Fewer, and waiting for the network costs time; more, and they hold each other up.
_PAGES_PER_CORE = 8
#: Where job inputs and files can live: obstore's schemes, and the queue's own Redis.
_STORAGE_SCHEMES = ("file", "s3", "gs", "az", "redis")
_REDIS_SCHEMES = ("redis", "rediss", "unix")
#: Where containers have their secrets, a file each: `farm_redis_url` is FARM_REDIS_URL. Variables
#: come first.
_SECRETS = Path("/run/secrets")


class SettingsError(StartError):
    """One line for every setting that is wrong."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # since keys and passwords are among it
        secrets_dir=_SECRETS if _SECRETS.is_dir() else None,
    )

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
        description="gunicorn workers, a browser each. Unset: one for every two cores of the "
        "cgroup's quota, at least one (four busy pages of one browser fill two cores).",
    )
    pages_per_browser: int = Field(
        32,
        ge=1,
        le=64,
        description="Pages a browser renders at the same time: eight for each core, and more where "
        "some take longer than three seconds.",
    )
    max_waiting: int = Field(
        32, ge=0, le=1000, description="Renders that may wait in a worker's line for a page."
    )
    spare_contexts: int = Field(
        2, ge=0, le=16, description="Browser contexts made ahead of the requests, in each worker."
    )
    isolation: Literal["render", "key"] = Field(
        "render",
        description="What a browser context is for: one `render`, or all renders of an API `key` "
        "(without keys: all renders there are), each in a new document. `key` is twice as fast for "
        "HTML that loads nothing, and for pages that trust each other: see security.md.",
    )
    context_renders: int = Field(
        200, ge=1, description="Renders after which a context of an API key is replaced."
    )
    context_age_s: float = Field(
        300, gt=0, description="Seconds after which a context of an API key is replaced."
    )
    recycle_after_renders: int = Field(
        5000,
        ge=0,
        description="Renders after which a browser is replaced, the new one being started first; "
        "0: never.",
    )
    browser_memory_mb: int = Field(
        1500,
        ge=200,
        description="MiB that a browser's processes may hold together (PSS); beyond it the page "
        "that holds most of them is ended, or else the browser replaced.",
    )
    render_deadline_s: float = Field(
        30,
        gt=0,
        le=600,
        description="Seconds a render may take, its wait in line included; then it is a 504.",
    )
    settle_max_s: float = Field(
        5,
        gt=0,
        le=600,
        description="Seconds after its `load` event in which a page may end what it has begun to "
        "load; then it is captured as it is, and the answer says what it lacks.",
    )
    max_pixels: int = Field(
        67_108_864,
        ge=1,
        description="Largest image, in pixels (width × height); 4 bytes each in the browser.",
    )
    max_output_bytes: int = Field(
        134_217_728, ge=1, description="Largest file that a render may make."
    )
    max_pdf_pages: int = Field(1000, ge=1, description="Pages that a PDF may have.")
    max_page_height_px: int = Field(
        2_000_000,
        ge=1,
        description="CSS pixels that a document may be high if it is to be a PDF or a `fullPage` "
        "picture; told before it is made.",
    )
    egress: Literal["public", "none"] = Field(
        "public",
        description="What pages may reach: `public` addresses (ports 80, 443 and above 1023), or "
        "`none`; besides what `FARM_EGRESS_ALLOW` names.",
    )
    egress_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Networks (`10.1.0.0/16`) and hosts (`intranet`, `*.example.com`, whatever "
        "their addresses) that pages may reach too, separated by commas.",
    )
    egress_deny: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Networks and hosts that pages may not reach, whatever else allows them.",
    )
    egress_max_connections: int = Field(
        64, ge=1, le=1000, description="Connections that one render may have at the same time."
    )
    egress_max_bytes: int = Field(
        268_435_456,
        ge=1,
        description="Bytes that one render may load and send; then it is cut off.",
    )
    url_credentials: Literal["refuse", "allow"] = Field(
        "refuse", description="What to do with a URL that carries a user name or a password."
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
    max_connections_per_address: int = Field(
        512,
        ge=1,
        le=100_000,
        description="Connections of a worker from one client address (of IPv6: one /64); beyond "
        "it the one that has been silent longest makes way. Behind a balancer all clients have the "
        "balancer's address: leave it above the connections that the balancer opens to a worker.",
    )
    api_keys: SecretStr | None = Field(
        None,
        description="Who may call: `name:key` pairs, separated by commas; a key is 16 or more "
        "visible ASCII characters. Unset, and no `FARM_API_KEYS_PATH`: everybody.",
    )
    api_keys_path: Path | None = Field(
        None,
        description="A file to have them in instead, one pair a line, with blank lines and `#` "
        "comments; read when the farm starts or is reloaded.",
    )
    rate_limit: str | None = Field(
        None,
        description="How many renders and jobs a caller may ask for: `60/minute`, or several "
        "rates with `;` between. By API key, or by client address where there are none. Unset: "
        "any number.",
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
    webgl: Literal["on", "off"] = Field(
        "on",
        description="WebGL in pages; maps and charts need it. `off` is advised where strangers "
        "send pages: with it one page can have the GPU process, which all pages share, work long.",
    )
    user: str = Field(
        "nobody",
        description="Whom Chromium runs as when the farm is started as root.",
    )
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
        description="What to do with a Redis whose `maxmemory-policy` evicts keys: it may lose "
        "accepted jobs without a word.",
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
    max_long_polls: int = Field(
        32,
        ge=0,
        le=1000,
        description="Requests of a gunicorn worker that may wait for a job to end; more are "
        "answered at once.",
    )
    max_submissions: int = Field(
        32,
        ge=1,
        le=1000,
        description="Jobs that a gunicorn worker stores and queues at the same time; more are "
        "answered `busy`.",
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
    dashboard_host: str = Field(
        "127.0.0.1", description="Address that `farm dashboard` listens on."
    )
    dashboard_port: int = Field(
        9181, ge=1, le=65535, description="TCP port that `farm dashboard` listens on."
    )
    dashboard_password: str | None = Field(
        None,
        description="Password that `farm dashboard` asks for, the user being `farm`. Unset: "
        "none, and then it listens on loopback only.",
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
        "info", description="The least grave message that is logged."
    )

    @field_validator("cors_origins", "egress_allow", "egress_deny", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not origin.startswith(("http://", "https://")):
                raise ValueError(f"{origin!r} is not an origin such as https://app.example.com")
        return origins

    @field_validator("egress_allow", "egress_deny")
    @classmethod
    def _check_names(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        Names.parse(entries)
        return entries

    @field_validator("api_keys")
    @classmethod
    def _check_api_keys(cls, pairs: SecretStr | None) -> SecretStr | None:
        if pairs is not None:
            ApiKeys.parse(pairs.get_secret_value())
        return pairs

    @field_validator("api_keys_path")
    @classmethod
    def _check_api_keys_file(cls, path: Path | None) -> Path | None:
        if path is not None:
            ApiKeys.read(path)
        return path

    @field_validator("rate_limit")
    @classmethod
    def _check_rate_limit(cls, rates: str | None) -> str | None:
        if rates is not None:
            parse_rates(rates)
        return rates

    @field_validator("redis_url", "cache_url")
    @classmethod
    def _check_redis_url(cls, url: str | None) -> str | None:
        if url and urlsplit(url).scheme not in _REDIS_SCHEMES:
            raise ValueError(
                "must be a URL such as redis://host:6379/0, rediss://… or unix:///path"
            )
        return url

    @field_validator("storage_url")
    @classmethod
    def _check_storage_url(cls, url: str | None) -> str | None:
        if url and urlsplit(url).scheme not in _STORAGE_SCHEMES:
            raise ValueError("must be file:///dir, s3://…, gs://…, az://… or redis:")
        return url

    @model_validator(mode="after")
    def _check_together(self) -> "Settings":
        problems = []
        if self.redis_url and not self.storage_url:
            problems.append(
                f"{PREFIX}STORAGE_URL: must be set with {PREFIX}REDIS_URL, since another "
                "machine's worker could not reach a directory of this one: s3://…, gs://…, "
                "az://…, redis:, or file:///dir on a disk that all share"
            )
        if self.cache_url and _server(self.cache_url) == _server(self.queue_url):
            problems.append(
                f"{PREFIX}CACHE_URL: must be another server than the queue's ({PREFIX}REDIS_URL), "
                "since the one has to evict and the other must not"
            )
        if self.api_keys and self.api_keys_path:
            problems.append(
                f"{PREFIX}API_KEYS: must not be set together with {PREFIX}API_KEYS_PATH"
            )
        if not self.dashboard_password and not _is_loopback(self.dashboard_host):
            problems.append(
                f"{PREFIX}DASHBOARD_PASSWORD: must be set for {PREFIX}DASHBOARD_HOST to be "
                "another address than loopback"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def egress_policy(self) -> Policy:
        """What pages may reach."""
        return Policy(
            public=self.egress == "public",
            allow=Names.parse(self.egress_allow),
            deny=Names.parse(self.egress_deny),
        )

    @cached_property
    def callers(self) -> ApiKeys | None:
        """Who may call the farm; None: everybody. A file of keys is read once."""
        if self.api_keys_path:
            return ApiKeys.read(self.api_keys_path)
        return ApiKeys.parse(self.api_keys.get_secret_value()) if self.api_keys else None

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
        """The Redis of the job queue, wherever it is."""
        return self.redis_url or f"unix://{quote(str(self.embedded_socket))}"

    @property
    def cache_socket(self) -> Path:
        """The Unix socket of the embedded cache."""
        return self.data_dir.absolute() / "cache" / "valkey.sock"

    @property
    def has_embedded_cache(self) -> bool:
        """Whether rendered files are kept in a Valkey that `farm serve` starts itself."""
        return self.embedded and self.cache_url is None

    @property
    def cache_address(self) -> str | None:
        """The URL of the Redis that keeps rendered files; None: there is none."""
        if self.has_embedded_cache:
            return f"unix://{quote(str(self.cache_socket))}"
        return self.cache_url

    @property
    def files_url(self) -> str:
        """Where jobs' inputs and files are, wherever that is."""
        return self.storage_url or (self.data_dir.absolute() / "storage").as_uri()

    @property
    def worker_count(self) -> int:
        return self.workers or max(1, int(usable_cores() // 2))

    @property
    def pages_at_once(self) -> int:
        """How many pages of a worker may be in their first seconds; see docs/performance.md."""
        return max(2, round(_PAGES_PER_CORE * usable_cores() / self.worker_count))

    @property
    def stop_grace_s(self) -> int:
        """Seconds that gunicorn gives the requests under way when it stops.

        Each ends by deadlines of its own; closing takes a moment more.
        """
        request_s = self.body_deadline_s + self.render_deadline_s
        return math.ceil(max(request_s, self.download_deadline_s)) + 10

    @property
    def threads(self) -> int:
        """Threads of a worker: for all that may hold one for long, and eight more.

        The eight are never held for long, so health and refusals are always answered.
        """
        renders = self.pages_per_browser + self.max_waiting
        jobs = self.max_submissions + self.max_long_polls + self.max_downloads
        return renders + MAX_JOINED + MAX_SENDING + jobs + 8

    @classmethod
    def from_environment(cls, **given: object) -> "Settings":
        """The environment's settings, but for those given here that are not None.

        Raises `SettingsError`, which names every variable that is wrong.
        """
        problems = unknown_names(os.environ)
        try:
            settings = cls.model_validate(
                {name: value for name, value in given.items() if value is not None}
            )
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


def _server(url: str) -> tuple[str, str]:
    """Which server a Redis URL means, whatever its database, user and password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return "", parts.path
    return (parts.hostname or "localhost").lower(), str(parts.port or 6379)


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
