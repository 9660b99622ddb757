"""The farm without its boundary: for what the boundary costs, and what it is needed for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from playwright.sync_api import Browser, BrowserType


@contextmanager
def no_boundary() -> Iterator[None]:
    """Browsers that are started meanwhile reach the network directly."""

    def changed(call: Callable[..., Any], **changes: object) -> Callable[..., Any]:
        return lambda *args, **kwargs: call(*args, **kwargs | changes)

    with (
        patch.object(BrowserType, "launch", changed(BrowserType.launch, proxy=None, args=[])),
        patch.object(Browser, "new_context", changed(Browser.new_context, proxy=None)),
    ):
        yield
