"""Cloudflare's Browser Run (formerly Browser Rendering): its quick actions over REST.

Source: https://developers.cloudflare.com/browser-run/quick-actions/
"""

from farm.web.compat.cloudflare.bodies import AnyPage, Links, Query, Scrape, Screenshot, Snapshot
from farm.web.compat.cloudflare.rendering import MAKERS, UNSUPPORTED, UnsupportedResource
from farm.web.compat.farm import Farm
from farm.web.compat.puppeteer.declared import mapped
from farm.web.compat.puppeteer.page import Page
from farm.web.compat.table import Tables
from farm.web.routes import Resource

#: Any account is accepted, since the keys are the farm's own.
_BASE = "/client/v4/accounts/{account_id}/browser-rendering"


def resources(farm: Farm) -> dict[str, Resource]:
    """The resources by their URI templates."""
    renders = {f"{_BASE}/{name}": make(farm.renderer, farm.bodies) for name, make in MAKERS.items()}
    others = {f"{_BASE}/{name}": UnsupportedResource(why) for name, why in UNSUPPORTED.items()}
    return {**renders, **others}


#: What docs/migrating.md says of the fields that browserless does not have.
TABLES: Tables = {
    "cloudflare": mapped(AnyPage, Page),
    "cloudflare-snapshot": mapped(Snapshot, Screenshot),
    "cloudflare-scrape": mapped(Scrape, AnyPage),
    "cloudflare-links": mapped(Links, AnyPage),
    "cloudflare-query": mapped(Query),
}
