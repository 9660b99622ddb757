"""The farm without its boundary: for what the boundary costs, and what it is needed for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from playwright.sync_api import BrowserType

from farm.render.browser.devtools import Session


@contextmanager
def no_boundary() -> Iterator[None]:
    """Browsers that are started meanwhile reach the network directly."""
    launch: Callable[..., Any] = BrowserType.launch
    send: Callable[..., Any] = Session.send

    def launch_bare(*args: object, **kwargs: object) -> object:
        return launch(*args, **kwargs | {"proxy": None, "args": []})

    def send_no_proxy(
        session: Session, method: str, params: dict[str, object] | None = None
    ) -> object:
        kept = {name: it for name, it in (params or {}).items() if not name.startswith("proxy")}
        return send(session, method, kept)

    with (
        patch.object(BrowserType, "launch", launch_bare),
        patch.object(Session, "send", send_no_proxy),
    ):
        yield
