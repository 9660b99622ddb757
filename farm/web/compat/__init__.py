"""Routes of other services, so that their clients only need another address.

`farm.web.app` adds the resources to the application; they run in request threads. Each service has
a folder. It converts the requests of that service's clients to `RenderRequest`s, and results and
errors to what those clients expect. Outside of this package, only `FARM_COMPAT` names the services,
and `/health` has a field that gotenberg's clients look for. Keys, rates, budgets, metrics and logs
are the same as for other routes.
"""

from collections.abc import Callable, Mapping

from farm.web.compat import browserless, cloudflare, gotenberg
from farm.web.compat.farm import Farm
from farm.web.compat.table import Tables
from farm.web.routes import Resource

__all__ = ["SERVICES", "TABLES", "Farm", "resources"]

#: The function that makes each service's resources by their URI templates, by its name in
#: `FARM_COMPAT`.
SERVICES: Mapping[str, Callable[[Farm], Mapping[str, Resource]]] = {
    "gotenberg": gotenberg.resources,
    "browserless": lambda farm: browserless.resources(farm) | cloudflare.resources(farm),
}
#: What docs/migrating.md says of each service's fields, by the names of its tables.
TABLES: Tables = {**gotenberg.TABLES, **browserless.TABLES, **cloudflare.TABLES}


def resources(farm: Farm) -> dict[str, Resource]:
    """The resources of all services that are turned on, by their URI templates."""
    found: dict[str, Resource] = {}
    for name in farm.settings.compat:
        if name in SERVICES:
            found |= SERVICES[name](farm)
    return found
