"""The site, and the threads that ask for several cases at once: most of a case is waiting."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.field import cases, redirects
from tests.field.site import Site, running_field_site

_AT_ONCE = 16


@pytest.fixture(scope="package")
def field_site() -> Iterator[Site]:
    with running_field_site(cases.PAGES | redirects.PAGES) as running:
        yield running


@pytest.fixture(scope="package")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(_AT_ONCE) as running:
        yield running
        running.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def chosen(request: pytest.FixtureRequest) -> list[object]:
    """The `case` of every test of the module that was chosen to run."""
    return [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == request.path
        and hasattr(item, "callspec")
    ]
