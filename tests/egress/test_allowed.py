"""What is allowed works as it does without a proxy."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farm.render import Engine
from farm.render.browser.chromium import find_chromium
from farm.settings import Settings
from tests.conftest import request_for
from tests.support.allowed_site import CERTIFICATE_SPKI, SMALL, AllowedSite, running_allowed_site
from tests.support.images import LIME, opened


@pytest.fixture
def trusting_chromium() -> Iterator[Path]:
    """A browser that trusts the site's certificate, where any user can run it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        script = Path(folder) / "chromium-headless-shell"
        flag = f"--ignore-certificate-errors-spki-list={CERTIFICATE_SPKI}"
        script.write_text(f'#!/bin/sh\nexec {find_chromium(Settings()).path} {flag} "$@"\n')
        script.chmod(0o755)
        yield script


def assert_all_works(engine: Engine, site: AllowedSite) -> None:
    result = engine.render(request_for(engine, url=site.url))
    assert site.failed == []
    assert opened(result.data).getpixel((600, 600)) == LIME
    assert result.refusals == ()


def test_all_of_http_works(engine: Engine) -> None:
    with running_allowed_site(tls=False) as site:
        assert_all_works(engine, site)
        # Connections are kept: six at a time served a hundred small files and the rest.
        assert site.connections < SMALL / 2 < site.requests


def test_all_of_https_works(make_engine: Callable[..., Engine], trusting_chromium: Path) -> None:
    engine = make_engine(chromium_path=trusting_chromium)
    with running_allowed_site(tls=True) as site:
        assert_all_works(engine, site)
        assert site.connections < SMALL / 2 < site.requests
