"""All settings in one model: reads them, and checks combinations of several settings."""

import difflib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from farm.errors import StartError
from farm.machine import usable_cores
from farm.settings.browser import Browser
from farm.settings.cache import Cache
from farm.settings.callers import Callers
from farm.settings.group import MAX_JOINED, MAX_SENDING
from farm.settings.jobs import Jobs
from farm.settings.network import Network
from farm.settings.rendering import Rendering
from farm.settings.serving import Serving
from farm.settings.watching import Watching
from farm.settings.webhooks import Webhooks

PREFIX = "FARM_"
#: With fewer pages, cores are idle while pages wait for the network. With more, pages slow each
#: other down.
_PAGES_PER_CORE = 8
#: Directories with secrets of a container, a file each: `farm_redis_url` is FARM_REDIS_URL.
#: Environment variables override them. Docker mounts each file into the first directory. Kubernetes
#: mounts a whole read-only directory, and some clouds mount tokens below the first one. So the
#: second directory belongs to the farm.
_SECRETS = (Path("/run/secrets"), Path("/run/secrets/render-farm"))


class SettingsError(StartError):
    """Settings are wrong. The message has a line for each of them."""


# pydantic takes the fields of the last base class first. So settings are checked and reported in
# the order from `Serving` to `Watching`.
class Settings(
    Watching, Cache, Webhooks, Jobs, Network, Browser, Rendering, Callers, Serving, BaseSettings
):
    """Every setting, and values that follow from several settings."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # the input contains keys and passwords
        secrets_dir=[folder for folder in _SECRETS if folder.is_dir()],
    )

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
    def cache_socket(self) -> Path:
        """The Unix socket of the embedded cache."""
        return self.data_dir.absolute() / "cache" / "valkey.sock"

    @property
    def has_embedded_cache(self) -> bool:
        """Whether rendered files are kept in a Valkey that `farm serve` starts itself."""
        return self.embedded and self.cache_url is None

    @property
    def cache_address(self) -> str | None:
        """The URL of the Redis that keeps rendered files; None: no cache is configured."""
        if self.has_embedded_cache:
            return f"unix://{quote(str(self.cache_socket))}"
        return self.cache_url

    @property
    def worker_count(self) -> int:
        """The number of gunicorn workers."""
        return self.workers or max(1, int(usable_cores() // 2))

    @property
    def pages_at_once(self) -> int:
        """The pages of a worker that may be in their first seconds; see docs/performance.md."""
        return max(2, round(_PAGES_PER_CORE * usable_cores() / self.worker_count))

    @property
    def stop_grace_s(self) -> int:
        """Seconds that gunicorn gives running requests when it stops.

        The longest deadline of a request, and ten seconds for closing.
        """
        request_s = self.body_deadline_s + self.render_deadline_s
        return math.ceil(max(request_s, self.download_deadline_s)) + 10

    @property
    def threads(self) -> int:
        """Threads of a worker: one for each request that may occupy one for long, and eight more.

        Only short requests use the eight, so `/health` and refusals are always answered.
        """
        renders = self.pages_per_browser + self.max_waiting
        jobs = self.max_submissions + self.max_long_polls + self.max_downloads
        return renders + MAX_JOINED + MAX_SENDING + jobs + 8

    @classmethod
    def from_environment(cls, **given: object) -> "Settings":
        """The settings of the environment; a `given` value that is not None overrides its setting.

        Raises `SettingsError`, which names every wrong variable.
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
    """A sentence for every `FARM_` variable that is not a setting."""
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
    """The host and port, or the socket, of a Redis URL, without database, user and password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return "", parts.path
    return (parts.hostname or "localhost").lower(), str(parts.port or 6379)


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
