"""Renders in kept contexts (`FARM_ISOLATION=key`), and waits until those are renewed."""

from farm.render import Engine
from farm.render.browser.kept import KeptContexts
from tests.conftest import request_for
from tests.support.farm_process import wait_until


def render(
    engine: Engine, html: str | None = None, /, caller: str | None = None, **options: object
) -> bytes:
    """The file, once the page has been made ready for the next render."""
    data = engine.render(request_for(engine, html, **options), caller=caller).data
    wait_until(lambda: engine.status.rendering == 0 and is_renewed(engine))
    return data


def is_renewed(engine: Engine) -> bool:
    """Whether no kept context is being renewed."""
    host = engine._keeper.host
    return host is None or not isinstance(host.pages, KeptContexts) or not host.pages.renewing
