"""browserless 2: its REST routes, for clients that were written for it.

Source: https://github.com/browserless/browserless and https://docs.browserless.io/rest-apis
"""

from collections.abc import Iterator

from farm.web.compat.browserless.bodies import AnyPage, PdfPage, Query, Scrape, Screenshot
from farm.web.compat.browserless.launch import LaunchOptions
from farm.web.compat.browserless.management import (
    OF_BROWSERS,
    OTHERS,
    ActiveResource,
    MetaResource,
    PressureResource,
    UnsupportedResource,
)
from farm.web.compat.browserless.rendering import MAKERS
from farm.web.compat.farm import Farm
from farm.web.compat.puppeteer.declared import mapped
from farm.web.compat.table import Tables
from farm.web.routes import Resource

#: A route may be prefixed by the browser that it is for.
_BROWSERS = ("", "/chromium", "/chrome")


def resources(farm: Farm) -> dict[str, Resource]:
    """The resources by their URI templates."""
    return dict(_resources(farm))


def _resources(farm: Farm) -> Iterator[tuple[str, Resource]]:
    for browser in _BROWSERS:
        for name, make in MAKERS.items():
            yield f"{browser}/{name}", make(farm.renderer, farm.bodies)
        for name, sentence in OF_BROWSERS.items():
            if browser or name != "playwright":
                yield f"{browser}/{name}", UnsupportedResource(sentence)
    for path, sentence in OTHERS.items():
        yield f"/{path}", UnsupportedResource(sentence)
    yield "/pressure", PressureResource(farm.renderer)
    yield "/active", ActiveResource()
    yield "/meta", MetaResource()


#: What docs/migrating.md says of the fields.
TABLES: Tables = {
    "browserless": mapped(AnyPage),
    "browserless-screenshot": mapped(Screenshot, AnyPage),
    "browserless-pdf": mapped(PdfPage, AnyPage),
    "browserless-scrape": mapped(Scrape, AnyPage),
    "browserless-query": mapped(Query),
    "browserless-launch": mapped(LaunchOptions),
}
