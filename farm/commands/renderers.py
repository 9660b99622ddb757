"""What renders for a command: an engine of its own, or a farm elsewhere.

A request is a mapping, as its JSON is. What comes of it is the file's bytes, or a `FarmError`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import click

#: Pages that a farm elsewhere is asked for at the same time. It may have others to render for.
_REMOTE_JOBS = 8


class Renderer(Protocol):
    #: How many pages are best rendered at the same time.
    jobs: int

    def check(self, fields: Mapping[str, Any]) -> None:
        """Raises `FarmError` for a request that would be refused whatever its page is.

        It can be called before `start`.
        """

    def start(self) -> None:
        """Raises `StartError`."""

    def render(self, fields: Mapping[str, Any]) -> bytes:
        """The file. From any thread; raises `FarmError`."""

    def close(self) -> None:
        """End at once what is being rendered. From any thread."""


class LocalEngine:
    """An engine with a browser in this process."""

    def __init__(self, many: bool) -> None:
        """`many`: more than a few pages are to be rendered. Raises `StartError`."""
        from farm import logs
        from farm.render import Engine
        from farm.settings import Settings

        # All of the machine is this process's.
        settings = Settings.from_environment(workers=1)
        # Standard output may be the file.
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
    """A farm that is asked over HTTP."""

    jobs = _REMOTE_JOBS

    def __init__(self, url: str, key: str | None) -> None:
        from farm.client import Farm

        self._farm = Farm(url, key)

    def check(self, fields: Mapping[str, Any]) -> None:
        """Nothing: a farm of another version may know other options."""

    def start(self) -> None:
        """Nothing: it runs."""

    def render(self, fields: Mapping[str, Any]) -> bytes:
        data: bytes = self._farm.post(fields).data
        return data

    def close(self) -> None:
        """Answers that are on their way are not waited for."""


def farm_arguments(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--farm URL` and `--key KEY`.

    Their variables do not begin with FARM_: such names are settings of a farm, and a name that is
    no setting keeps a farm from starting.
    """
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
        function = option(function)
    return function


@contextmanager
def opened(farm: str | None, key: str | None, many: bool = False) -> Iterator[Renderer]:
    """What renders, not started yet: the farm at a URL, or an engine of this process's own.

    Raises `StartError`, and `FarmError` for a URL or a key that cannot be right.
    """
    renderer: Renderer = RemoteFarm(farm, key) if farm else LocalEngine(many)
    try:
        yield renderer
    finally:
        renderer.close()
