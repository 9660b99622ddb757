"""Routes of other services, so that their clients need no more than another address.

A folder a service. It turns what that service's clients send into a `RenderRequest`, and a result
or an error into what they expect. Outside of this package only `FARM_COMPAT` names them, and
`/health` has a field that gotenberg's clients look for. Keys, rates, budgets, metrics and logs are
those of every route.
"""

from collections.abc import Callable, Mapping

from farm.web.compat import browserless, cloudflare, gotenberg
from farm.web.compat.farm import Farm
from farm.web.compat.table import Tables
from farm.web.routes import Resource

__all__ = ["SERVICES", "TABLES", "Farm", "resources"]

#: By the names that `FARM_COMPAT` has: what makes a service's resources, by their templates.
SERVICES: Mapping[str, Callable[[Farm], Mapping[str, Resource]]] = {
    "gotenberg": gotenberg.resources,
    "browserless": lambda farm: browserless.resources(farm) | cloudflare.resources(farm),
}
#: What docs/migrating.md tells of each service's fields, by the names of its tables.
TABLES: Tables = {**gotenberg.TABLES, **browserless.TABLES, **cloudflare.TABLES}


def resources(farm: Farm) -> dict[str, Resource]:
    """The resources of all services that are turned on, by their templates."""
    found: dict[str, Resource] = {}
    for name in farm.settings.compat:
        if name in SERVICES:
            found |= SERVICES[name](farm)
    return found
