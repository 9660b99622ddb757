"""The renderers of commands: an engine in this process, or a farm at a URL.

A request is a mapping in the form of its JSON. A render returns the file's bytes, or raises a
`FarmError`. `farm.mcp.rendering` has similar classes for agents' tools. Those also return facts
about the page, can be cancelled, and start their engine at the first render.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, Protocol

import click
from click.core import ParameterSource

#: The number of concurrent requests to a farm, which may have other clients.
_REMOTE_JOBS = 8


class Renderer(Protocol):
    #: The best number of concurrent renders.
    jobs: int

    def check(self, fields: Mapping[str, Any]) -> None:
        """Raises `FarmError` if the request would be refused whatever its page is.

        May be called before `start`.
        """

    def start(self) -> None:
        """Get ready to render. Raises `StartError`."""

    def render(self, fields: Mapping[str, Any]) -> bytes:
        """Render a request, and return the file. Any thread may call this. Raises `FarmError`."""

    def close(self) -> None:
        """End all renders at once. Any thread may call this."""


class LocalEngine:
    """An engine with a browser in this process."""

    def __init__(self, many: bool) -> None:
        """`many`: whether more than a few pages will be rendered. Raises `StartError`."""
        from farm import logs
        from farm.render import Engine
        from farm.settings import Settings

        # This process may use the whole machine.
        settings = Settings.from_environment(workers=1)
        # The file may be written to standard output, so the log goes to standard error.
        logs.configure(settings.model_copy(update={"log_level": "error"}), "stderr")
        self.jobs = min(settings.pages_per_browser, settings.pages_at_once)
        if not many:
            settings = settings.model_copy(update={"spare_contexts": 0})
        self._engine = Engine(settings)

    def start(self) -> None:
        self._engine.start()
        self._engine.wait_started()

    def check(self, fields: Mapping[str, Any]) -> None:
        self._parse(fields)

    def render(self, fields: Mapping[str, Any]) -> bytes:
        return self._engine.render(self._parse(fields)).data

    def close(self) -> None:
        self._engine.close()

    def _parse(self, fields: Mapping[str, Any]) -> Any:
        from farm.request import HTML_OR_URL, RenderRequest

        return RenderRequest.from_fields(dict(fields), HTML_OR_URL, self._engine.limits)


class RemoteFarm:
    """A farm at a URL, called over HTTP."""

    jobs = _REMOTE_JOBS

    def __init__(self, url: str, key: str | None) -> None:
        from farm.client import Farm

        self._farm = Farm(url, key)

    def check(self, fields: Mapping[str, Any]) -> None:
        """Checks nothing: a farm of another version may have other options."""

    def start(self) -> None:
        """Does nothing: the farm runs already."""

    def render(self, fields: Mapping[str, Any]) -> bytes:
        data: bytes = self._farm.post(fields).data
        return data

    def close(self) -> None:
        """Does nothing: threads that wait for answers end with the process."""


def farm_arguments(function: Callable[..., None]) -> Callable[..., None]:
    """Decorator that adds `--farm URL` and `--key KEY` to a command.

    A key in the arguments without a farm is refused. A key in the environment may stay there.
    The environment variables do not begin with FARM_. Such names are settings, and a farm does
    not start if one of them is unknown.
    """

    @wraps(function)
    def checked(**given: Any) -> None:
        source = click.get_current_context().get_parameter_source("key")
        if source is ParameterSource.COMMANDLINE and not given["farm"]:
            raise click.UsageError("--key needs --farm: this machine renders without a key.")
        function(**given)

    command = checked
    for option in (
        click.option(
            "--key",
            envvar="RENDER_FARM_KEY",
            show_envvar=True,
            help="The API key for that farm. Arguments can be seen by others on this machine, "
            "variables cannot.",
        ),
        click.option(
            "--farm",
            metavar="URL",
            envvar="RENDER_FARM_URL",
            show_envvar=True,
            help="Have a running farm render, and not this machine.",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def opened(farm: str | None, key: str | None, many: bool = False) -> Iterator[Renderer]:
    """A renderer that is not started yet: the farm at a URL, or an engine in this process.

    Raises `StartError`, and `FarmError` for a URL or a key that is not valid.
    """
    renderer: Renderer = RemoteFarm(farm, key) if farm else LocalEngine(many)
    try:
        yield renderer
    finally:
        renderer.close()
