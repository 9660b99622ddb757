"""What is allowed works as it does without a proxy."""

from farm.render import Engine
from tests.conftest import request_for
from tests.support.allowed_site import SMALL, AllowedSite, running_allowed_site
from tests.support.images import LIME, opened


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


def test_all_of_https_works(trusting_engine: Engine) -> None:
    with running_allowed_site(tls=True) as site:
        assert_all_works(trusting_engine, site)
        assert site.connections < SMALL / 2 < site.requests
